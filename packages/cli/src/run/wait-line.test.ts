import type { Explanation, HolderId } from '@slotkeeper/core'
import { expect, test } from 'vitest'
import { waitLine, waitSignature } from './wait-line.ts'

const now = new Date(2026, 10, 21, 9, 0, 0)
const holder = (run: string) => ({
  run,
  holder: `desk-${run}` as HolderId,
  acquiredAt: new Date(2026, 10, 21, 8, 59, 0),
})
const waiting = (fields: object) =>
  ({
    repository: 'a/b',
    repositoryState: 'active',
    place: 2,
    limit: 2,
    live: 2,
    holders: [holder('a/1'), holder('a/2')],
    ...fields,
  }) as unknown as Explanation

test('place, wait, who holds the slots and since when', () => {
  expect(waitLine(waiting({}), 61_000, now)).toBe(
    'a/b: place 2, waiting 1m01s; 2 of 2 taken: a/1 since 08:59:00 (desk-a/1), a/2 since 08:59:00 (desk-a/2)',
  )
})

test('of many holders three are named', () => {
  const holders = ['a/1', 'a/2', 'a/3', 'a/4', 'a/5'].map(holder)
  expect(waitLine(waiting({ live: 5, limit: 5, holders, place: { atLeast: 1001 } }), 0, now)).toMatch(
    /^a\/b: place 1001 or later, .* a\/3 since 08:59:00 \(desk-a\/3\), 2 more$/,
  )
})

test('a paused repository is told', () => {
  expect(waitLine(waiting({ repositoryState: 'paused', live: 0, holders: [] }), 0, now)).toBe(
    'a/b: place 2, waiting 0s; 0 of 2 taken; a/b is paused',
  )
})

test('only news makes another line', () => {
  expect(waitSignature(waiting({}))).toBe(waitSignature(waiting({ state: 'queued' })))
  expect(waitSignature(waiting({}))).not.toBe(waitSignature(waiting({ place: 1 })))
})
