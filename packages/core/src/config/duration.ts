import * as z from 'zod/mini'
import { MOST_MS } from '../clock.ts'
import { InvalidArgumentError } from '../errors.ts'
import { shown } from './shown.ts'

const NANOSECONDS = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['µs', 1_000n], // U+00B5, the micro sign
  ['μs', 1_000n], // U+03BC, the Greek letter; Go takes both
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
])

const COMPONENT = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy
const BARE = /^(\d+\.?\d*|\.\d+)$/
/** Enough for any duration that somebody means; it keeps hostile digits from becoming hostile arithmetic. */
const LONGEST_TEXT = 100
const HOW =
  'Write it like 30s, 500ms, 1.5s or 1h30m, with the units h, m, s, ms, us, ns; a bare number is seconds.'

/**
 * Reads a duration as Go writes it (`1h30m`, `1.5s`, `500ms`), or a bare number of seconds, into whole milliseconds. What is
 * finer than a millisecond is rounded up, so that no duration becomes zero.
 *
 * `maximumMs` is the longest that is allowed; by default the longest that `setTimeout` keeps (24 days and 20 hours).
 * @example
 * parseDuration('1h30m') // 5_400_000
 * @throws InvalidArgumentError for text that is no duration, negative, zero, or longer than `maximumMs`
 */
export function parseDuration(text: string, options: { readonly maximumMs?: number } = {}): number {
  if (typeof text !== 'string')
    throw new InvalidArgumentError(`A duration is text, and this is of type ${typeof text}. ${HOW}`)
  const { data: ms, error } = durationSchema.safeParse(text.trim())
  if (error) throw new InvalidArgumentError(String(error.issues[0]?.message))
  const maximumMs = options.maximumMs ?? MOST_MS
  if (ms > maximumMs)
    throw new InvalidArgumentError(`${shown(text)} is longer than the ${maximumMs} ms that are allowed here.`)
  return ms
}

/** Reads trimmed text as `parseDuration` does, of any length of time. */
export const durationSchema = z.pipe(
  z.string(),
  z.transform((text, { issues }) => {
    const refuse = (message: string) => {
      issues.push({ code: 'custom', input: text, message })
      return z.NEVER
    }
    if (text.startsWith('-'))
      return refuse(`${shown(text)} is a negative duration: it must be more than zero.`)
    const nanoseconds = text.length > LONGEST_TEXT ? undefined : nanosecondsOf(text.replace(/^\+/, ''))
    if (nanoseconds === undefined) return refuse(`${shown(text)} is not a duration. ${HOW}`)
    if (nanoseconds === 0n)
      return refuse(`${shown(text)} is no time at all: a duration must be more than zero.`)
    return Number((nanoseconds + 999_999n) / 1_000_000n)
  }),
)

/** Exact, because 1.1 s is 1100.0000000000002 ms in floating point, which would be rounded up to 1101. */
function nanosecondsOf(text: string): bigint | undefined {
  if (BARE.test(text)) return nanosecondsOf(`${text}s`)
  let total = 0n
  let end = 0
  for (const [component, amount = '', unit = ''] of text.matchAll(COMPONENT)) {
    const [whole = '', fraction = ''] = amount.split('.')
    const scale = 10n ** BigInt(fraction.length)
    const scaled = BigInt(whole + fraction) * (NANOSECONDS.get(unit) as bigint)
    total += (scaled + scale - 1n) / scale
    end += component.length
  }
  return end === text.length ? total : undefined
}
