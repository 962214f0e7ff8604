import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isSlotkeeperError } from './errors.ts'
import { checkKey, keyProblem, leaseOf, MAX_KEY_BYTES, textProblem, tokenOf } from './keys.ts'

describe('a key', () => {
  test.for([
    "'; drop table/x",
    '%_/%',
    '../..',
    '__proto__/constructor',
    ' / ',
    'ä/ß',
    '漢字/🙂',
    'a/\n',
    '*/-',
  ])('may be %j', (key) => {
    expect(keyProblem(key)).toBe(undefined)
    expect(() => checkKey(key, 'run')).not.toThrow()
  })

  test.for([
    ['acme', /no '\/'/],
    ['a/b/c', /more than one/],
    ['a//b', /more than one/],
    ['/b', /before the '\/' is empty/],
    ['a/', /after the '\/' is empty/],
    ['/', /before/],
    ['a/\0', /NUL/],
    ['a/\ud800', /surrogate/],
    ['\udc00/b', /surrogate/],
    [undefined, /undefined, not a string/],
    [null, /null, not a string/],
    [7, /number, not a string/],
    [{}, /object, not a string/],
  ] as const)('may not be %j', ([key, why]) => {
    expect(keyProblem(key)).toMatch(why)
    expect(() => checkKey(key, 'run')).toThrow(/run .* is not a key/)
    try {
      checkKey(key, 'run')
    } catch (error) {
      expect(isSlotkeeperError(error, 'SLOTKEEPER_INVALID_ARGUMENT')).toBe(true)
    }
  })

  test('is as long as its bytes, not its characters', () => {
    const exactly = `a/${'é'.repeat((MAX_KEY_BYTES - 2) / 2)}`
    expect(new TextEncoder().encode(exactly).length).toBe(MAX_KEY_BYTES)
    expect(keyProblem(exactly)).toBe(undefined)
    expect(keyProblem(`${exactly}x`)).toMatch(/longer than 512 bytes/)
    expect(keyProblem(`a/${'x'.repeat(MAX_KEY_BYTES - 2)}`)).toBe(undefined)
    expect(keyProblem(`a/${'漢'.repeat(171)}`)).toMatch(/longer/)
  })

  test('is checked without fail, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const accepted = textProblem(text) === undefined
        expect(accepted).toBe(
          !text.includes('\0') && text.isWellFormed() && Buffer.byteLength(text) <= MAX_KEY_BYTES,
        )
      }),
    )
  })

  test('that is wrong is shown cut short and well-formed', () => {
    try {
      checkKey(`${'x'.repeat(5000)}\ud800`, 'repository')
      expect.unreachable()
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(300)
      expect((error as Error).message.isWellFormed()).toBe(true)
    }
  })
})

describe('a lease', () => {
  test('spells its token and nothing else', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (token) => {
        expect(tokenOf(leaseOf(token))).toBe(token)
      }),
    )
    expect(tokenOf(leaseOf(Number.MAX_SAFE_INTEGER))).toBe(Number.MAX_SAFE_INTEGER)
  })

  test.for([
    '',
    'lease-',
    'lease-01',
    'lease-A',
    'lease--1',
    'lease-1 ',
    ' lease-1',
    'lease-1.5',
    'Lease-1',
    'lease-zzzzzzzzzzzzz',
    '1',
    'lease-NaN',
    'lease-1\n',
  ])('%j names no grant', (lease) => expect(tokenOf(lease)).toBe(-1))
})
