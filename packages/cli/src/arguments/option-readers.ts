import {
  isSlotkeeperError,
  MAX_LIMIT,
  parseDuration,
  type RepositoryKey,
  type RunKey,
  repository,
} from '@slotkeeper/core'
import { ExitError } from '../exit-error.ts'
import { quoted } from '../quoted.ts'

/** Reads `namespace/name`. */
export function readKey(option: string, text: string): RepositoryKey & RunKey {
  return saying(option, text, () => {
    repository(text as RepositoryKey) // checks a key, and every key has the same form
    return text as RepositoryKey
  })
}

/** Reads the `--repository` that a verb cannot do without. */
export function needRepository(text: string | undefined): RepositoryKey {
  if (text !== undefined) return readKey('--repository', text)
  throw new ExitError('--repository is missing. Name the repository, as in: --repository acme/api')
}

/** Reads the `--run` that a verb cannot do without. */
export function needRun(text: string | undefined): RunKey {
  if (text !== undefined) return readKey('--run', text)
  throw new ExitError("--run is missing. Name the run, as 'slotkeeper status --repository …' shows it.")
}

/** Reads how many lines to show: a whole number from 1. */
export function readFirst(option: string, text: string): number {
  const first = Number(text)
  if (/^\d+$/.test(text) && first >= 1 && Number.isSafeInteger(first)) return first
  throw new ExitError(`${option} is ${quoted(text)}, and it must be a whole number from 1.`)
}

/** Reads a limit: a whole number, 0 = unlimited. */
export function readLimit(option: string, text: string): number {
  const limit = Number(text)
  if (/^\d+$/.test(text) && limit <= MAX_LIMIT) return limit
  throw new ExitError(
    `${option} is ${quoted(text)}, and a limit is a whole number from 1 to ${MAX_LIMIT}, or 0 for unlimited.`,
  )
}

/** Reads a priority: a whole number of 32 bits. */
export function readPriority(option: string, text: string): number {
  const priority = Number(text)
  if (/^[+-]?\d+$/.test(text) && (priority | 0) === priority) return priority
  throw new ExitError(
    `${option} is ${quoted(text)}, and a priority is a whole number from ${-(2 ** 31)} to ${2 ** 31 - 1}; higher goes first.`,
  )
}

/** Reads a duration such as `30s` or `1h30m` to milliseconds; a bare number is seconds. `leastMs`: the shortest that is allowed. */
export function readDuration(option: string, text: string, leastMs = 1): number {
  const ms = saying(option, text, () => parseDuration(text))
  if (ms >= leastMs) return ms
  throw new ExitError(`${option} is ${quoted(text)}, and it must be ${leastMs} ms or longer.`)
}

/** Reads `name=value` pairs. */
export function readPairs(option: string, texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf('=')
      if (equals < 1) throw new ExitError(`${option} is ${quoted(text)}, and it must be NAME=VALUE.`)
      return [text.slice(0, equals), text.slice(equals + 1)]
    }),
  )
}

/** What core refuses is told with the option that it was given to. */
function saying<T>(option: string, text: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!isSlotkeeperError(error)) throw error
    const hidden = quoted(text).startsWith('(')
    throw new ExitError(hidden ? `${option} cannot be read: ${quoted(text)}.` : `${option}: ${error.message}`)
  }
}
