import { expect, test } from 'vitest'
import { jsonText } from './json-text.ts'
import { printable } from './printable.ts'

/** Escape, backspace, both kinds of line end, a C1 introducer, delete; turning text around; line and paragraph separators. */
const HOSTILE = 'a/\x1b[2J\x1b]0;x\x07\b\r\n\x9b31m\x7f\u202eevil\u2066\u200f\u061c\u2028\u2029z'
const DANGEROUS = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/

test('nothing that a terminal obeys is printed, and every character leaves its mark', () => {
  expect(printable(HOSTILE)).not.toMatch(DANGEROUS)
  expect([...printable(HOSTILE)]).toHaveLength([...HOSTILE].length)
  expect(printable('a/\x1b[31mb')).not.toBe(printable('a/b'))
  expect(printable('日本/é\u{1F468}\u{200D}\u{1F469}')).toBe('日本/é\u{1F468}\u{200D}\u{1F469}')
})

test('JSON shows nothing of it either, and reads back the same', () => {
  for (const indent of [undefined, 2]) {
    const text = jsonText({ run: HOSTILE, list: [HOSTILE] }, indent)
    expect(text.replaceAll('\n', '')).not.toMatch(DANGEROUS)
    expect(JSON.parse(text)).toEqual({ run: HOSTILE, list: [HOSTILE] })
  }
})
