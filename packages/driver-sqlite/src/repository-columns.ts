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

/** What nearly every decision changes, as JSON keeps it: token, sequence, live, reserved, orphaned, waiting, parked, words of numbers. */
export type Counts = readonly number[]

export function countsOf(row: RepositoryRow): Counts {
  const { lastToken, lastSequence, live, reserved, orphaned, waiting, parked, numbers } = row
  return [lastToken, lastSequence, live, reserved, orphaned, waiting, parked, ...numbers]
}

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
    JSON.stringify(countsOf(row)),
    now,
  ]
}

/** A row of `repository`, id first; `newer` counts come before those of the table. */
export function repositoryOf(cells: readonly Cell[], newer: Counts | undefined): RepositoryRow {
  const counts = newer ?? (JSON.parse(cells[9] as string) as Counts)
  return {
    repository: cells[1] as RepositoryKey,
    domain: cells[2] as string,
    status: cells[3] as RepositoryRow['status'],
    state: cells[4] as RepositoryRow['state'],
    local: proposal(cells[5]),
    global: proposal(cells[6]),
    removedUids: JSON.parse(cells[7] as string),
    dueAt: typeof cells[8] === 'number' ? cells[8] : undefined,
    lastToken: counts[0] as number,
    lastSequence: counts[1] as number,
    live: counts[2] as number,
    reserved: counts[3] as number,
    orphaned: counts[4] as number,
    waiting: counts[5] as number,
    parked: counts[6] as number,
    numbers: counts.slice(7),
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
