import { expect, test } from 'vitest'
import { countOf, type Level, withEntry, withFirst, withoutEntry } from './levels.ts'

const queue = (...entries: readonly (readonly [priority: number, sequence: number])[]) =>
  entries.reduce<readonly Level[]>(
    (levels, [priority, sequence]) => withEntry(levels, priority, sequence),
    [],
  )

test('levels go from the highest priority to the lowest, each with its count and its first', () => {
  expect(queue([0, 3], [5, 1], [0, 2], [-1, 7])).toEqual([
    { high: 5, low: 5, count: 1, first: 1 },
    { high: 0, low: 0, count: 2, first: 2 },
    { high: -1, low: -1, count: 1, first: 7 },
  ])
})

test('a level goes with its last entry, and the others stay', () => {
  const levels = withoutEntry(queue([1, 1], [0, 2], [0, 3]), 0)
  expect(countOf(levels)).toBe(2)
  expect(withoutEntry(levels, 0)).toEqual(queue([1, 1]))
})

test('where the first entries are gone, a search begins later; a new entry brings it back', () => {
  const levels = withFirst(queue([0, 1], [0, 9]), 0, 9)
  expect(levels[0]?.first).toBe(9)
  expect(withEntry(levels, 0, 4)[0]?.first).toBe(4)
})

test('of many priorities the lowest are one level, in which every entry is counted still', () => {
  const priorities = Array.from({ length: 200 }, (_, n) => (n * 37) % 200)
  let levels = queue(...priorities.map((priority) => [priority, 1] as const))
  expect(levels.length).toBe(64)
  expect(countOf(levels)).toBe(200)
  for (const [at, level] of levels.entries()) {
    expect(level.low).toBeLessThanOrEqual(level.high)
    expect(level.low).toBeGreaterThan(levels[at + 1]?.high ?? -1)
  }
  for (const priority of priorities) levels = withoutEntry(levels, priority)
  expect(levels).toEqual([])
})
