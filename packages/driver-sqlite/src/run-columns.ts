import type { HolderId, Phase, RepositoryKey, RunKey, RunRow } from '@slotkeeper/core/driver'

/** A value as better-sqlite3 binds and returns it. */
export type Cell = string | number | null | Buffer

/** The columns of `run`, in the order of `runCells` and `runOf`. */
export const RUN_COLUMNS = [
  ...[
    'repository',
    'run',
    'phase',
    'run_uid',
    'ticket',
    'granted_to',
    'durable',
    'holder',
    'priority',
    'sequence',
    'token',
    'number',
  ],
  ...[
    'meta',
    'due_at',
    'hold_until',
    'max_hold_ms',
    'claim_timeout_ms',
    'lease_ttl_ms',
    'parks',
    'state',
    'queued_at',
    'acquired_at',
  ],
  ...['started_at', 'ended_at', 'ending', 'ended_by', 'successor'],
] as const

export function runCells(row: RunRow): Cell[] {
  return [
    row.repository,
    row.run,
    row.phase,
    row.runUid ?? null,
    row.ticket,
    row.grantedTo ?? null,
    row.durable ? 1 : 0,
    row.holder ?? null,
    row.priority,
    row.sequence,
    row.token,
    row.number,
    row.meta === undefined ? null : JSON.stringify(row.meta),
    row.dueAt ?? null,
    row.holdUntil ?? null,
    row.maxHoldMs,
    row.claimTimeoutMs,
    row.leaseTtlMs,
    row.parks,
    row.state ?? null,
    row.queuedAt ?? null,
    row.acquiredAt ?? null,
    row.startedAt ?? null,
    row.endedAt ?? null,
    row.ending ?? null,
    row.endedBy ?? null,
    row.successor ?? null,
  ]
}

export function runOf(cells: readonly Cell[]): RunRow {
  return {
    repository: cells[0] as RepositoryKey,
    run: cells[1] as RunKey,
    phase: cells[2] as Phase,
    runUid: text(cells[3]),
    ticket: cells[4] as string,
    grantedTo: text(cells[5]),
    durable: cells[6] === 1,
    holder: text(cells[7]) as HolderId | undefined,
    priority: cells[8] as number,
    sequence: cells[9] as number,
    token: cells[10] as number,
    number: cells[11] as number,
    meta: typeof cells[12] === 'string' ? JSON.parse(cells[12]) : undefined,
    dueAt: time(cells[13]),
    holdUntil: time(cells[14]),
    maxHoldMs: cells[15] as number,
    claimTimeoutMs: cells[16] as number,
    leaseTtlMs: cells[17] as number,
    parks: cells[18] as number,
    state: text(cells[19]) as RunRow['state'],
    queuedAt: time(cells[20]),
    acquiredAt: time(cells[21]),
    startedAt: time(cells[22]),
    endedAt: time(cells[23]),
    ending: text(cells[24]) as RunRow['ending'],
    endedBy: text(cells[25]),
    successor: text(cells[26]) as RunKey | undefined,
  }
}

/** The columns that a grant, a claim or an end changes; `movedCells` has their values, then the key. */
export const MOVED_COLUMNS = [
  ...[
    'phase',
    'holder',
    'token',
    'number',
    'due_at',
    'hold_until',
    'state',
    'acquired_at',
    'started_at',
    'ended_at',
    'ending',
  ],
  ...['ended_by', 'successor'],
] as const

/** Whether nothing but those columns changed. */
export function onlyMoved(row: RunRow, before: RunRow): boolean {
  return (
    row.ticket === before.ticket &&
    row.grantedTo === before.grantedTo &&
    row.sequence === before.sequence &&
    row.priority === before.priority &&
    row.durable === before.durable &&
    row.runUid === before.runUid &&
    row.meta === before.meta &&
    row.maxHoldMs === before.maxHoldMs &&
    row.claimTimeoutMs === before.claimTimeoutMs &&
    row.leaseTtlMs === before.leaseTtlMs &&
    row.parks === before.parks &&
    row.queuedAt === before.queuedAt
  )
}

export function movedCells(row: RunRow): Cell[] {
  return [
    row.phase,
    row.holder ?? null,
    row.token,
    row.number,
    row.dueAt ?? null,
    row.holdUntil ?? null,
    row.state ?? null,
    row.acquiredAt ?? null,
    row.startedAt ?? null,
    row.endedAt ?? null,
    row.ending ?? null,
    row.endedBy ?? null,
    row.successor ?? null,
    row.repository,
    row.run,
  ]
}

function text(cell: Cell | undefined): string | undefined {
  return typeof cell === 'string' ? cell : undefined
}

function time(cell: Cell | undefined): number | undefined {
  return typeof cell === 'number' ? cell : undefined
}
