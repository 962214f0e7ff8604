import { expect, test } from 'vitest'
import { age, clockTime } from './times.ts'

test('an age is told in its two largest units', () => {
  expect([-5, 999, 59_999, 61_000, 3_599_000, 7_500_000, 100 * 3_600_000].map(age)).toEqual([
    '0s',
    '0s',
    '59s',
    '1m01s',
    '59m59s',
    '2h05m',
    '4d04h',
  ])
})

test('a moment of another day is told with its day', () => {
  const now = new Date(2026, 10, 21, 9, 0, 0)
  expect(clockTime(new Date(2026, 10, 21, 8, 5, 7), now)).toBe('08:05:07')
  expect(clockTime(new Date(2026, 10, 20, 23, 5, 7), now)).toBe('2026-11-20 23:05:07')
  expect(clockTime(new Date(2026, 9, 21, 9, 0, 0), now)).toBe('2026-10-21 09:00:00')
})
