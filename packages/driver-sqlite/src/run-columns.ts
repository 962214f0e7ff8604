import type { HolderId, Phase, RepositoryKey, RunKey, RunRow } from '@slotkeeper/core/driver'

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

/** A whole row but for its repository, as JSON keeps it: first what has columns of its own. */
export type Packed = readonly unknown[]

/** How many of them have columns. */
const FILED = 6

export function runCells(repository: number, row: RunRow): Cell[] {
  return [
    row.run,
    repository,
    row.phase,
    row.holder ?? null,
    row.priority,
    row.sequence,
    row.dueAt ?? null,
    JSON.stringify(packed(row).slice(FILED)),
  ]
}

/** A row of `run`; its repository is known. */
export function runOf(repository: RepositoryKey, cells: readonly Cell[]): RunRow {
  const [run, , phase, holder, priority, sequence, dueAt, rest] = cells
  return rowOf(repository, [run, phase, holder, priority, sequence, dueAt, ...JSON.parse(rest as string)])
}

export function packed(row: RunRow): Packed {
  const list = [
    row.run,
    row.phase,
    row.holder ?? null,
    row.priority,
    row.sequence,
    row.dueAt ?? null,
    row.ticket,
    row.token,
    row.number,
    row.durable ? 1 : 0,
    row.maxHoldMs,
    row.claimTimeoutMs,
    row.leaseTtlMs,
    row.parks,
    row.state,
    row.queuedAt,
    row.acquiredAt,
    row.startedAt,
    row.endedAt,
    row.ending,
    row.endedBy,
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

/** What `packed` made a list of. */
export function rowOf(repository: RepositoryKey, list: Packed): RunRow {
  return {
    repository,
    run: list[0] as RunKey,
    phase: list[1] as Phase,
    holder: (list[2] ?? undefined) as HolderId | undefined,
    priority: list[3] as number,
    sequence: list[4] as number,
    dueAt: (list[5] ?? undefined) as number | undefined,
    ticket: list[6] as string,
    token: list[7] as number,
    number: list[8] as number,
    durable: list[9] === 1,
    maxHoldMs: list[10] as number,
    claimTimeoutMs: list[11] as number,
    leaseTtlMs: list[12] as number,
    parks: list[13] as number,
    state: (list[14] ?? undefined) as RunRow['state'],
    queuedAt: (list[15] ?? undefined) as number | undefined,
    acquiredAt: (list[16] ?? undefined) as number | undefined,
    startedAt: (list[17] ?? undefined) as number | undefined,
    endedAt: (list[18] ?? undefined) as number | undefined,
    ending: (list[19] ?? undefined) as RunRow['ending'],
    endedBy: (list[20] ?? undefined) as string | undefined,
    runUid: (list[21] ?? undefined) as string | undefined,
    grantedTo: (list[22] ?? undefined) as string | undefined,
    meta: (list[23] ?? undefined) as RunRow['meta'],
    holdUntil: (list[24] ?? undefined) as number | undefined,
    successor: (list[25] ?? undefined) as RunKey | undefined,
  }
}
