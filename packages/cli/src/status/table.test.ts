import { expect, test } from 'vitest'
import { table } from './table.ts'

test('columns line up, numbers to the right, whatever colours they have', () => {
  expect(
    table(
      ['NAME', '\x1b[1mN\x1b[22m', 'LAST'],
      [
        ['a', '\x1b[31m100\x1b[39m', 'x'],
        ['long', '–', ''],
      ],
    ),
  ).toBe('NAME    \x1b[1mN\x1b[22m  LAST\na     \x1b[31m100\x1b[39m  x\nlong    –\n')
})
