import { expect, test } from 'vitest'
import type { HolderId } from './keys.ts'
import { packRows, unpackRows } from './packed-rows.ts'
import { blankRun, type RunRow } from './rows.ts'

const holders = ['one', 'two/with "signs"'] as HolderId[]

const ticket = (n: number) => `caller.${String(n).padStart(8, '0')}`

const waiting = (n: number, changed: Partial<RunRow> = {}): RunRow => ({
  ...{
    ...blankRun,
    repository: 'a/b',
    run: `a/run-${n}`,
    ticket: ticket(n),
    holder: holders[0],
    sequence: n,
  },
  ...{ leaseTtlMs: 3_600_000, queuedAt: 1000, ...changed },
})

const various: readonly RunRow[] = [
  waiting(7),
  waiting(8),
  waiting(9, { holder: holders[1], priority: 5, meta: { a: '1', 'ü"': '\n' } }),
  waiting(3, { holder: undefined, durable: true, phase: 'reserved', token: 4, number: 1, dueAt: 5.5 }),
  waiting(4, { phase: 'running', state: 'started', token: 5, number: 2, grantedTo: 'x', acquiredAt: 7 }),
  waiting(5, { runUid: 'uid', successor: 'a/next', endedBy: 'y', ending: 'removed', phase: 'record' }),
  waiting(6, { queuedAt: undefined, leaseTtlMs: 0 }),
  waiting(10, { queuedAt: 1000.1 }),
  waiting(11, { queuedAt: 1795664932360.7, ticket: 'short' }),
  waiting(12, { queuedAt: 1795664932361.3, ticket: 'other' }),
  waiting(13, { queuedAt: 0, ticket: 'of"another.00000001' }),
]

const through = (rows: readonly RunRow[], of = holders) =>
  unpackRows(JSON.parse(packRows(rows, of)), 'a/b', of)

test('rows come back as they were, in any order', () => {
  expect(through(various)).toEqual(various)
  expect(through(various.toReversed())).toEqual(various.toReversed())
  expect(through([])).toEqual([])
})

test('the text of a row that is kept is right behind another row, and with another place of its holder', () => {
  for (let without = 0; without < various.length; without++) {
    const rows = various.toSpliced(without, 1)
    expect(through(rows)).toEqual(rows)
    expect(through(rows, holders.toReversed())).toEqual(rows)
  }
})

test('of entries that wait alike only what tells them apart is written', () => {
  const rows = [1, 2, 3].map((n) => waiting(n, { queuedAt: 1000 + 2 * n }))
  const [, ...others] = JSON.parse(packRows(rows, holders))
  expect(others).toEqual([2, 3].map((n) => ({ run: `a/run-${n}`, call: `0000000${n}`, later: 2 })))
})
