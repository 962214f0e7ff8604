import { parseArgs } from 'node:util'
import { nearestName } from '@slotkeeper/core'
import { ExitError } from '../exit-error.ts'
import { quoted } from '../quoted.ts'

/** The options of a verb, in the words of `parseArgs`. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>

interface OptionSpec {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  readonly multiple?: true
}

/** What was given, by option: absent when it was not. */
export type OptionValues<S extends OptionSpecs> = {
  readonly [K in keyof S]?: S[K] extends { multiple: true }
    ? string[]
    : S[K] extends { type: 'boolean' }
      ? boolean
      : string
}

/** A command line read: its options, and what stands behind ` -- `. */
export interface Arguments<S extends OptionSpecs> {
  readonly values: OptionValues<S>
  /** `undefined` without ` -- `. */
  readonly behind: readonly string[] | undefined
}

/**
 * Reads what follows a verb. The last one of a repeated option counts, unless it may be given many times. `hint`: what to do with a word
 * that is no option.
 * @throws ExitError for an unknown option (with the nearest one that exists), a missing or needless value, or a stray word
 */
export function readArguments<S extends OptionSpecs>(
  args: readonly string[],
  specs: S,
  hint = "What shall be run goes behind ' -- '.",
): Arguments<S> {
  const end = args.indexOf('--')
  const { values, tokens } = parseArgs({
    args: end < 0 ? [...args] : args.slice(0, end),
    options: specs,
    strict: false,
    tokens: true,
  })
  for (const token of tokens) {
    if (token.kind === 'positional') throw new ExitError(`${quoted(token.value)} is no option. ${hint}`)
    if (token.kind !== 'option') continue
    const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined
    if (spec === undefined) throw unknownOption(token.rawName, specs)
    if (spec.type === 'boolean') {
      if (token.value !== undefined) throw new ExitError(`${token.rawName} takes no value.`)
    } else if (token.value === undefined) throw new ExitError(`${token.rawName} needs a value and has none.`)
    else if (!token.inlineValue && /^-\D/.test(token.value))
      throw new ExitError(
        `${token.rawName} needs a value, and ${quoted(token.value)} follows it. Write ${token.rawName}=VALUE if it is meant.`,
      )
  }
  return { values: values as OptionValues<S>, behind: end < 0 ? undefined : args.slice(end + 1) }
}

function unknownOption(rawName: string, specs: OptionSpecs): ExitError {
  const all = Object.keys(specs).map((name) => `--${name}`)
  const begun = all.filter((name) => name.startsWith(rawName))
  const [first, ...others] = begun.length > 0 ? begun : all
  const nearest = first === undefined ? '' : ` Did you mean ${nearestName(rawName, [first, ...others])}?`
  return new ExitError(`There is no option ${quoted(rawName)}.${nearest}`)
}
