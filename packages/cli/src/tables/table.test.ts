import { expect, test } from 'vitest'
import { painter } from './paint.ts'
import { table } from './table.ts'

test('columns line up, numbers to the right, whatever colours they have', () => {
  expect(
    table(
      ['NAME', 'N', 'LAST'],
      [
        ['a', '\x1b[31m100\x1b[39m', 'x'],
        ['long', '–', ''],
      ],
      painter(true),
    ),
  ).toBe(
    '\x1b[1mNAME\x1b[22m    \x1b[1mN\x1b[22m  \x1b[1mLAST\x1b[22m\na     \x1b[31m100\x1b[39m  x\nlong    –\n',
  )
})

test('wide characters take two columns, and marks over others none', () => {
  expect(
    table(
      ['RUN', 'STATE'],
      [
        ['日本/東京', 'a'],
        ['acme/cafe\u0301', 'b'],
        ['acme/\u{1F468}\u{200D}\u{1F469}', 'c'],
      ],
    ).split('\n'),
  ).toEqual([
    'RUN        STATE',
    '日本/東京  a',
    'acme/cafe\u0301  b',
    'acme/\u{1F468}\u{200D}\u{1F469}    c',
    '',
  ])
})
