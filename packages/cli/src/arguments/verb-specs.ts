import { ExitError } from '../exit-error.ts'
import { type OptionSpecs, type OptionValues, readArguments } from './read-arguments.ts'

/** The options of every verb that asks a store something about a repository. */
export const READING_SPECS = {
  repository: { type: 'string' },
  store: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** The options of every verb by which an operator changes something. */
export const CHANGING_SPECS = {
  ...READING_SPECS,
  yes: { type: 'boolean' },
  reason: { type: 'string' },
  actor: { type: 'string' },
} as const

/**
 * Reads the arguments of a verb that runs no command; `'help'` when that was asked for.
 * @throws ExitError for what is wrong
 */
export function readVerb<S extends OptionSpecs & { help: { type: 'boolean' } }>(
  verb: string,
  argv: readonly string[],
  specs: S,
): OptionValues<S> | 'help' {
  const { values, behind } = readArguments(
    argv,
    specs,
    'Everything is said by options, as in: --repository acme/api',
  )
  if (values.help) return 'help'
  if (behind !== undefined) throw new ExitError(`${verb} runs no command, so nothing goes behind ' -- '.`)
  return values
}
