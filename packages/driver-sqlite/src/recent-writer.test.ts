import type { HolderId, RepositoryKey, RunRow } from '@slotkeeper/core/driver'
import { expect, test } from 'vitest'
import { RecentReader } from './recent-reader.ts'
import type { Counted } from './recent-row.ts'
import { RecentWriter } from './recent-writer.ts'
import type { Counters } from './repository-columns.ts'
import { runCells, runOf } from './run-columns.ts'

const KEY: RepositoryKey = 'acme/api'
const WALL = 1_760_000_000_000

const SLOT: RunRow = {
  repository: KEY,
  run: 'acme/"1"',
  phase: 'running',
  runUid: undefined,
  ticket: 'abcdefghijkl.00000001',
  grantedTo: undefined,
  durable: false,
  holder: 'manager-1' as HolderId,
  priority: 0,
  sequence: 7,
  token: WALL * 1000 + 1,
  number: 3,
  meta: undefined,
  dueAt: undefined,
  holdUntil: undefined,
  maxHoldMs: 0,
  claimTimeoutMs: 60_000,
  leaseTtlMs: 1_800_000,
  parks: 0,
  state: 'started',
  queuedAt: WALL,
  acquiredAt: WALL,
  startedAt: WALL,
  endedAt: undefined,
  ending: undefined,
  endedBy: undefined,
  successor: undefined,
}

const END: Partial<RunRow> = {
  phase: 'record',
  holder: undefined,
  number: 0,
  endedAt: WALL + 35,
  ending: 'released',
  endedBy: 'abcdefghijkl.00000009',
  state: 'completed',
  dueAt: 87_400_035,
}

/** Rows that differ from the commonest one in every field by itself, in what values can be, and in all of it. */
const OTHERS: readonly Partial<RunRow>[] = [
  {},
  END,
  { phase: 'record' },
  { holder: undefined, number: 0 },
  { runUid: 'uid' },
  { ticket: 'short' },
  { ticket: 'ABCDEFGHIJKL.00000001' },
  { grantedTo: 'abcdefghijkl.00000002' },
  { durable: true },
  { holder: 'manager-2' as HolderId },
  { priority: -5 },
  { token: 1 },
  { token: Number.MAX_SAFE_INTEGER },
  { meta: { what: 'é\n"' } },
  { dueAt: 5.25, holdUntil: 0.1 },
  { maxHoldMs: 1.5 },
  { claimTimeoutMs: 1 },
  { leaseTtlMs: 2 },
  { parks: 3 },
  { state: 'failed' },
  { state: undefined },
  { queuedAt: 0.1 },
  { acquiredAt: WALL + 0.1 },
  { startedAt: undefined },
  { queuedAt: undefined, acquiredAt: undefined, startedAt: undefined },
  { queuedAt: undefined, acquiredAt: undefined },
  { queuedAt: undefined, startedAt: undefined },
  { queuedAt: 0, acquiredAt: 0, startedAt: 0 },
  { ...END, dueAt: 0, endedAt: 0 },
  { ...END, endedBy: undefined },
  { ...END, endedBy: 'somebody', ending: 'expired', state: undefined },
  { ...END, endedAt: undefined, dueAt: undefined },
  { ...END, successor: 'acme/2' },
  { ...END, number: 2 },
  { ...END, holder: 'manager-1' as HolderId },
  { sequence: 8 },
  { dueAt: 5 },
  { holdUntil: 5 },
  { endedAt: WALL },
  { ending: 'expired' },
  { endedBy: 'abcdefghijkl.00000009' },
  { successor: 'acme/2' },
]

function counters(...counts: number[]): Counters {
  const [lastToken, lastSequence, live, reserved, orphaned, waiting, parked, ...numbers] = counts as [
    ...[number, number, number, number, number, number, number],
    ...number[],
  ]
  return { lastToken, lastSequence, live, reserved, orphaned, waiting, parked, numbers }
}

test('what a row of `recent` tells of runs, one after the other, is read as it was', () => {
  for (const [at, first] of OTHERS.entries()) {
    // Each is followed by each, and by its own end.
    const rows = OTHERS.flatMap((other) => [first, other, first, { ...first, ...END }]).map(
      (row): RunRow => ({ ...SLOT, ...row }),
    )
    const writer = new RecentWriter()
    writer.counted(1, 1000 + at, counters(5, 1, 1, 0, 0, 0, 0, 1), rows[0])
    for (const [next, row] of rows.slice(1).entries()) writer.run(row, rows[next])
    const reader = new RecentReader(writer.text())
    const [, , , , , , ...runs] = reader.told[0] as Counted
    let read: RunRow | undefined
    const all = runs.map((told) => {
      read = reader.run(KEY, told, read)
      return read
    })
    expect(all).toEqual(rows)
  }
})

test('what a row of `recent` tells of repositories is read as it was', () => {
  const writer = new RecentWriter()
  expect(writer.isEmpty).toBe(true)
  const told = [
    counters(WALL * 1000, 4, 1, 0, 0, 0, 0, 1),
    counters(0, 0, 0, 0, 0, 0, 0, 0),
    counters(Number.MAX_SAFE_INTEGER, 9, 7, 1, 2, 3, 1, 2 ** 31),
    counters(5, 2, 40, 0, 0, 0, 0, -1, 255),
    counters(5, 2, 0, 0, 0, 0, 0),
  ]
  for (const [id, counts] of told.entries()) writer.counted(id, 1000.5 - id, counts)
  writer.settled(9)
  const reader = new RecentReader(writer.text())
  expect(reader.told.at(-1)).toEqual([9])
  const read = (reader.told.slice(0, -1) as Counted[]).map(([, , ...rest]) =>
    reader.counters(rest[0], rest[1], rest[2], rest[3]),
  )
  expect(read).toEqual(told)
  const times = (reader.told.slice(0, -1) as Counted[]).map(([, at]) => reader.committedAt(at))
  expect(times).toEqual(told.map((_, id) => 1000.5 - id))
})

test('a row of the table of runs is read as it was', () => {
  for (const other of OTHERS) {
    const row: RunRow = { ...SLOT, ...other }
    expect(runOf(KEY, runCells(1, row))).toEqual(row)
  }
})
