import { expect, test } from 'vitest'
import { jsonText } from './json-text.ts'
import { printable } from './printable.ts'

const MARKS = '\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029'
/** Escape, backspace, both kinds of line end, a C1 introducer, delete; turning text around; line and paragraph separators. */
const HOSTILE = 'a/\x1b[2J\x1b]0;x\x07\b\r\n\x9b31m\x7f\u202eevil\u2066\u200f\u061c\u2028\u2029z'

/** What of a text a terminal would obey. */
function obeyed(text: string): readonly string[] {
  return [...text].filter((c) => c < ' ' || (c >= '\x7f' && c <= '\x9f') || MARKS.includes(c))
}

test('nothing that a terminal obeys is printed, and every character leaves its mark', () => {
  expect(obeyed(printable(HOSTILE))).toEqual([])
  expect([...printable(HOSTILE)]).toHaveLength([...HOSTILE].length)
  expect(printable('a/\x1b[31mb')).not.toBe(printable('a/b'))
  expect(printable('日本/é\u{1F468}\u{200D}\u{1F469}')).toBe('日本/é\u{1F468}\u{200D}\u{1F469}')
})

test('JSON shows nothing of it either, and reads back the same', () => {
  for (const indent of [undefined, 2]) {
    const text = jsonText({ run: HOSTILE, list: [HOSTILE] }, indent)
    expect(obeyed(text.replaceAll('\n', ''))).toEqual([])
    expect(JSON.parse(text)).toEqual({ run: HOSTILE, list: [HOSTILE] })
  }
})
