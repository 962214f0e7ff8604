import type { HolderId, Phase, RepositoryKey, RunKey, RunRow } from '@slotkeeper/core/driver'
import { apart, type Distance, type Tail, tailOf, together, withTail } from './shorthand.ts'

/** Tokens begin at the wall clock's microseconds. */
const TOKENS_A_MS = 1000

/** A value as better-sqlite3 binds and returns it. */
export type Cell = string | number | null | Buffer

/** The columns of `run`, in the order of `runCells` and `runOf`: those by which rows are found, then the one that holds the rest. */
export const RUN_COLUMNS = [
  'run',
  'repository',
  'phase',
  'holder',
  'priority',
  'sequence',
  'due_at',
  'rest',
] as const

export function runCells(repository: number, row: RunRow): Cell[] {
  return [
    row.run,
    repository,
    row.phase,
    row.holder ?? null,
    row.priority,
    row.sequence,
    row.dueAt ?? null,
    JSON.stringify(restOf(row)),
  ]
}

export const STATES: readonly RunRow['state'][] = [
  undefined,
  'queued',
  'started',
  'completed',
  'failed',
  'cancelled',
  'expired',
]
export const ENDINGS: readonly RunRow['ending'][] = [undefined, 'released', 'withdrawn', 'removed', 'expired']

/** What has no column of its own, in as little room as JSON takes for it: there are very many records. */
export function restOf(row: RunRow): unknown[] {
  const { ticket, queuedAt, endedBy } = row
  const from = queuedAt ?? 0
  const list = [
    ticket,
    queuedAt,
    apart(row.token, from * TOKENS_A_MS),
    row.number,
    row.durable ? 1 : 0,
    row.maxHoldMs,
    row.claimTimeoutMs,
    row.leaseTtlMs,
    row.parks,
    STATES.indexOf(row.state),
    row.acquiredAt === undefined ? undefined : apart(row.acquiredAt, from),
    row.startedAt === undefined ? undefined : apart(row.startedAt, from),
    row.endedAt === undefined ? undefined : apart(row.endedAt, from),
    row.ending === undefined ? undefined : ENDINGS.indexOf(row.ending),
    endedBy === undefined ? undefined : tailOf(endedBy, ticket),
    row.runUid,
    row.grantedTo,
    row.meta,
    row.holdUntil,
    row.successor,
  ]
  // What is mostly absent stands last, and takes no room then.
  let length = list.length
  while (list[length - 1] === undefined) length--
  list.length = length
  return list
}

/** A row of `run`; its repository is known. */
export function runOf(repository: RepositoryKey, cells: readonly Cell[]): RunRow {
  return rowOf(repository, cells, JSON.parse(cells[7] as string))
}

/** A row of what has columns and what `restOf` made of the rest. */
export function rowOf(
  repository: RepositoryKey,
  cells: readonly unknown[],
  rest: readonly unknown[],
): RunRow {
  const ticket = rest[0] as string
  const queuedAt = (rest[1] ?? undefined) as number | undefined
  const from = queuedAt ?? 0
  const wall = (at: number) => {
    const told = rest[at] as Distance | null | undefined
    return told == null ? undefined : together(told, from)
  }
  const endedBy = rest[14] as Tail | null | undefined
  return {
    repository,
    run: cells[0] as RunKey,
    phase: cells[2] as Phase,
    holder: (cells[3] ?? undefined) as HolderId | undefined,
    priority: cells[4] as number,
    sequence: cells[5] as number,
    dueAt: (cells[6] ?? undefined) as number | undefined,
    ticket,
    queuedAt,
    token: together(rest[2] as Distance, from * TOKENS_A_MS),
    number: rest[3] as number,
    durable: rest[4] === 1,
    maxHoldMs: rest[5] as number,
    claimTimeoutMs: rest[6] as number,
    leaseTtlMs: rest[7] as number,
    parks: rest[8] as number,
    state: STATES[rest[9] as number],
    acquiredAt: wall(10),
    startedAt: wall(11),
    endedAt: wall(12),
    ending: ENDINGS[(rest[13] ?? 0) as number],
    endedBy: endedBy == null ? undefined : withTail(endedBy, ticket),
    runUid: (rest[15] ?? undefined) as string | undefined,
    grantedTo: (rest[16] ?? undefined) as string | undefined,
    meta: (rest[17] ?? undefined) as RunRow['meta'],
    holdUntil: (rest[18] ?? undefined) as number | undefined,
    successor: (rest[19] ?? undefined) as RunKey | undefined,
  }
}
