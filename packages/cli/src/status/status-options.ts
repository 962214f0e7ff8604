import type { RepositoryKey } from '@slotkeeper/core'
import { readKey } from '../arguments/option-readers.ts'
import { readArguments } from '../arguments/read-arguments.ts'
import { ExitError } from '../exit-error.ts'

/** The options of `slotkeeper status`. */
const STATUS_SPECS = {
  repository: { type: 'string' },
  store: { type: 'string' },
  json: { type: 'boolean' },
  watch: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** What `slotkeeper status` was asked to show. */
export interface StatusOptions {
  /** `undefined`: all of them, each in one row. */
  readonly repository: RepositoryKey | undefined
  readonly store: string | undefined
  readonly json: boolean
  readonly watch: boolean
}

/**
 * Reads the arguments of `slotkeeper status`; `'help'` when that was asked for.
 * @throws ExitError for what is wrong
 */
export function readStatusOptions(argv: readonly string[]): StatusOptions | 'help' {
  const { values, behind } = readArguments(argv, STATUS_SPECS)
  if (values.help) return 'help'
  if (behind !== undefined) throw new ExitError("status runs no command, so nothing goes behind ' -- '.")
  return {
    repository: values.repository === undefined ? undefined : readKey('--repository', values.repository),
    store: values.store,
    json: values.json ?? false,
    watch: values.watch ?? false,
  }
}
