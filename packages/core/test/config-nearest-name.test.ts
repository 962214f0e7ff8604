import { expect, test } from 'vitest'
import { nearestName } from '../src/config/nearest-name.ts'

test.each([
  ['an insertion', 'abcd', ['abcde', 'abxy'], 'abcde'],
  ['a deletion', 'abcd', ['abxy', 'acd'], 'acd'],
  ['a replacement', 'abcd', ['abxy', 'xbcd'], 'xbcd'],
  ['a swap of neighbours', 'abcd', ['axyd', 'bacd'], 'bacd'],
] as [string, string, [string, ...string[]], string][])('%s is one edit', (_, text, names, nearest) => {
  expect(nearestName(text, names)).toBe(nearest)
})

test('of equally near names the one that begins most alike is named, else the first', () => {
  expect(nearestName('user', ['host', 'username'])).toBe('username')
  expect(nearestName('x', ['a', 'b'])).toBe('a')
})

test('a common beginning never outweighs an edit', () => {
  expect(nearestName('abcdefgh', ['abcdef', 'xbcdefgh'])).toBe('xbcdefgh')
})
