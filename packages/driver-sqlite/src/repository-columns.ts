import type { LimitProposal, RepositoryKey, RepositoryRow } from '@slotkeeper/core/driver'
import type { Cell } from './run-columns.ts'

/** The columns of `repository`, in the order of `repositoryCells` and `repositoryOf`. */
export const REPOSITORY_COLUMNS = [
  ...[
    'repository',
    'domain',
    'status',
    'state',
    'local',
    'global',
    'removed_uids',
    'last_token',
    'last_sequence',
    'live',
    'reserved',
  ],
  ...['orphaned', 'waiting', 'parked', 'numbers', 'due_at', 'committed_at'],
] as const

export function repositoryCells(row: RepositoryRow, now: number): Cell[] {
  return [
    row.repository,
    row.domain,
    row.status,
    row.state,
    row.local === undefined ? null : JSON.stringify(row.local),
    row.global === undefined ? null : JSON.stringify(row.global),
    JSON.stringify(row.removedUids),
    row.lastToken,
    row.lastSequence,
    row.live,
    row.reserved,
    row.orphaned,
    row.waiting,
    row.parked,
    words(row.numbers),
    row.dueAt ?? null,
    now,
  ]
}

export function repositoryOf(cells: readonly Cell[]): RepositoryRow {
  return {
    repository: cells[0] as RepositoryKey,
    domain: cells[1] as string,
    status: cells[2] as RepositoryRow['status'],
    state: cells[3] as RepositoryRow['state'],
    local: proposal(cells[4]),
    global: proposal(cells[5]),
    removedUids: JSON.parse(cells[6] as string),
    lastToken: cells[7] as number,
    lastSequence: cells[8] as number,
    live: cells[9] as number,
    reserved: cells[10] as number,
    orphaned: cells[11] as number,
    waiting: cells[12] as number,
    parked: cells[13] as number,
    numbers: numbers(cells[14] as Buffer),
    dueAt: typeof cells[15] === 'number' ? cells[15] : undefined,
  }
}

/** Store time of the last commit that changed the row. */
export function committedAt(cells: readonly Cell[]): number {
  return cells[16] as number
}

/** What nearly every decision changes. */
export const COUNTED_COLUMNS = [
  ...[
    'last_token',
    'last_sequence',
    'live',
    'reserved',
    'orphaned',
    'waiting',
    'parked',
    'numbers',
    'committed_at',
  ],
] as const

export function countedCells(row: RepositoryRow, now: number): Cell[] {
  const { lastToken, lastSequence, live, reserved, orphaned, waiting, parked } = row
  return [
    lastToken,
    lastSequence,
    live,
    reserved,
    orphaned,
    waiting,
    parked,
    words(row.numbers),
    now,
    row.repository,
  ]
}

/** Whether nothing but those columns changed. */
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

const NONE = Buffer.alloc(0)

function words(numbers: readonly number[]): Buffer {
  if (numbers.length === 0) return NONE
  const cell = Buffer.allocUnsafe(numbers.length * 4)
  for (let i = 0; i < numbers.length; i++) cell.writeInt32LE(numbers[i] as number, i * 4)
  return cell
}

function numbers(cell: Buffer): number[] {
  const words: number[] = []
  for (let i = 0; i < cell.length; i += 4) words.push(cell.readInt32LE(i))
  return words
}
