import type { LimitProposal, RepositoryKey, RepositoryRow } from '@slotkeeper/core/driver'
import type { Cell } from './run-columns.ts'

/** The columns of `repository`, in the order of `repositoryCells` and `repositoryOf`, after its id. */
export const REPOSITORY_COLUMNS = [
  'repository',
  'domain',
  'status',
  'state',
  'local',
  'global',
  'removed_uids',
  'due_at',
  'counts',
  'committed_at',
] as const

/** What nearly every decision changes. */
export type Counters = Pick<
  RepositoryRow,
  'lastToken' | 'lastSequence' | 'live' | 'reserved' | 'orphaned' | 'waiting' | 'parked' | 'numbers'
>

/** Counters as the column `counts` keeps them. */
export function countsOf(row: Counters): string {
  const { lastToken, lastSequence, live, reserved, orphaned, waiting, parked, numbers } = row
  return JSON.stringify([lastToken, lastSequence, live, reserved, orphaned, waiting, parked, ...numbers])
}

function countersOf(counts: string): Counters {
  const [lastToken, lastSequence, live, reserved, orphaned, waiting, parked, ...numbers] = JSON.parse(
    counts,
  ) as [number, number, number, number, number, number, number, ...number[]]
  return { lastToken, lastSequence, live, reserved, orphaned, waiting, parked, numbers }
}

/** The cells that a repository has in its table after a commit at that store time, in the order of the columns. */
export function repositoryCells(row: RepositoryRow, now: number): Cell[] {
  return [
    row.repository,
    row.domain,
    row.status,
    row.state,
    row.local === undefined ? null : JSON.stringify(row.local),
    row.global === undefined ? null : JSON.stringify(row.global),
    JSON.stringify(row.removedUids),
    row.dueAt ?? null,
    countsOf(row),
    now,
  ]
}

/** A row of `repository`, id first; `newer` counters come before those of the table. */
export function repositoryOf(cells: readonly Cell[], newer: Counters | undefined): RepositoryRow {
  const { lastToken, lastSequence, live, reserved, orphaned, waiting, parked, numbers } =
    newer ?? countersOf(cells[9] as string)
  return {
    repository: cells[1] as RepositoryKey,
    domain: cells[2] as string,
    status: cells[3] as RepositoryRow['status'],
    state: cells[4] as RepositoryRow['state'],
    local: proposal(cells[5]),
    global: proposal(cells[6]),
    removedUids: JSON.parse(cells[7] as string),
    dueAt: typeof cells[8] === 'number' ? cells[8] : undefined,
    lastToken,
    lastSequence,
    live,
    reserved,
    orphaned,
    waiting,
    parked,
    numbers,
  }
}

/** Store time of the last commit that changed the row. */
export function committedAt(cells: readonly Cell[]): number {
  return cells[10] as number
}

/** Whether nothing but the counts changed. */
export function onlyCounted(row: RepositoryRow, before: RepositoryRow): boolean {
  return (
    row.local === before.local &&
    row.global === before.global &&
    row.status === before.status &&
    row.state === before.state &&
    row.removedUids === before.removedUids &&
    row.domain === before.domain &&
    row.dueAt === before.dueAt
  )
}

function proposal(cell: Cell | undefined): LimitProposal | undefined {
  return typeof cell === 'string' ? JSON.parse(cell) : undefined
}
