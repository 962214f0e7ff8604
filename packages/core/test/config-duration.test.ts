import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseDuration } from '../src/config/duration.ts'
import { isSlotkeeperError } from '../src/errors.ts'

const UNITS = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  ns: 1n,
} as const
const noBound = { maximumMs: Number.MAX_SAFE_INTEGER }

function codeOf(call: () => unknown): string | undefined {
  try {
    call()
  } catch (error) {
    return isSlotkeeperError(error) ? error.code : 'another error'
  }
  return undefined
}

describe('parseDuration', () => {
  test.each([
    ['1h30m', 5_400_000],
    ['1.5s', 1_500],
    ['500ms', 500],
    ['5', 5_000],
    ['1.5', 1_500],
    ['1h', 3_600_000],
    ['2m', 120_000],
    ['+5s', 5_000],
    ['.5s', 500],
    ['1.s', 1_000],
    ['1h1m1s1ms', 3_661_001],
    ['1m1m', 120_000],
    ['1.1s', 1_100],
    ['4.35s', 4_350],
    ['  10s\n', 10_000],
  ])('%j is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each([
    ['1ns', 1],
    ['1us', 1],
    ['1µs', 1],
    ['1μs', 1],
    ['999999ns', 1],
    ['1000001ns', 2],
    ['1.0000001s', 1_001],
    ['0.0000000000001s', 1],
  ])('what is finer than a millisecond is rounded up: %s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each([
    '',
    ' ',
    'soon',
    '5x',
    '1d',
    '1H',
    '1 h',
    '1h 30m',
    '1h30',
    's',
    '.',
    '.s',
    '1..5s',
    '1,5s',
    '1e3s',
    '0x10s',
    '∞',
    'NaN',
    'Infinity',
    '５s',
    '1h-30m',
    '--5s',
    '+-5s',
    '1s;',
    `${'9'.repeat(200)}s`,
  ])('garbage is refused: %j', (text) => {
    expect(codeOf(() => parseDuration(text))).toBe('SLOTKEEPER_INVALID_ARGUMENT')
  })

  test.each(['-5s', '-1', '0', '0s', '0h0m', '0.0', '-0s'])('negative and zero are refused: %s', (text) => {
    expect(codeOf(() => parseDuration(text))).toBe('SLOTKEEPER_INVALID_ARGUMENT')
  })

  test('a value that is not text is refused', () => {
    expect(codeOf(() => parseDuration(5 as unknown as string))).toBe('SLOTKEEPER_INVALID_ARGUMENT')
  })

  test('by default a duration fits setTimeout', () => {
    expect(parseDuration('2147483647ms')).toBe(2 ** 31 - 1)
    expect(codeOf(() => parseDuration('2147483648ms'))).toBe('SLOTKEEPER_INVALID_ARGUMENT')
    expect(parseDuration('8760h', { maximumMs: 31_536_000_000 })).toBe(31_536_000_000)
  })

  test('any sum of components is exact, rounded up once', () => {
    const component = fc.record({
      whole: fc.integer({ min: 0, max: 9999 }),
      fraction: fc.stringMatching(/^\d{0,3}$/),
      unit: fc.constantFrom('h', 'm', 's', 'ms', 'us'),
    })
    fc.assert(
      fc.property(fc.array(component, { minLength: 1, maxLength: 6 }), (components) => {
        const text = components
          .map(({ whole, fraction, unit }) => `${whole}${fraction && `.${fraction}`}${unit}`)
          .join('')
        const thousandths = components.reduce((sum, { whole, fraction, unit }) => {
          const amount = BigInt(whole) * 1000n + BigInt(fraction.padEnd(3, '0'))
          return sum + amount * UNITS[unit as keyof typeof UNITS]
        }, 0n)
        fc.pre(thousandths > 0n)
        expect(parseDuration(text, noBound)).toBe(Number((thousandths + 999_999_999n) / 1_000_000_000n))
      }),
    )
  })

  test('whole milliseconds come back as they went in, in every unit that divides them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (ms) => {
        expect(parseDuration(`${ms}ms`)).toBe(ms)
        expect(parseDuration(`${ms / 1000}s`)).toBe(ms)
        expect(parseDuration(`${ms / 1000}`)).toBe(ms)
        expect(parseDuration(`${Math.floor(ms / 1000)}s${ms % 1000}ms`)).toBe(ms)
      }),
    )
  })

  test('any text gives a positive whole number that a timer keeps, or an InvalidArgumentError', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[-+.0-9hmsnuµ ]{0,20}$/))
    fc.assert(
      fc.property(text, (any) => {
        let ms: number
        try {
          ms = parseDuration(any)
        } catch (error) {
          expect(isSlotkeeperError(error, 'SLOTKEEPER_INVALID_ARGUMENT')).toBe(true)
          return
        }
        expect(Number.isSafeInteger(ms) && ms >= 1 && ms <= 2 ** 31 - 1).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})
