import {
  type DomainBatch,
  type Facts,
  type HolderId,
  type HolderRow,
  isAlive,
  queueOrder,
  type RunRow,
  sectionRequest,
} from '@slotkeeper/core/driver'
import type { Domain, JsonStore } from './json-store.ts'

/** Step 1: loads what a decision needs, no more than `sectionRequest` asks for. */
export function loadFacts(store: JsonStore, batch: DomainBatch, budget: number, rows: Domain): Facts {
  const request = sectionRequest(batch, budget)
  const now = Math.max(store.now(), rows.committedAt)
  // A real store has an index for each of these, and reads one row more than it was asked for, to know whether there are more.
  const overdue = rows.runs.filter((row) => isOverdue(store, rows, row, now)).slice(0, request.overdue + 1)
  const heads = rows.runs
    .filter((row) => row.phase === 'waiting' && row.dueAt === undefined)
    .sort(queueOrder)
    .slice(0, request.heads + 1)
  const runs = rows.runs.filter((row) =>
    request.runs.some(({ repository, run }) => row.repository === repository && row.run === run),
  )
  return {
    domain: batch.domain,
    now,
    wall: Date.now(),
    tokenFloor: store.tokenFloor,
    guard: rows.guard,
    repositories: rows.repositories,
    runs,
    holders: holdersOf(store, [...runs, ...overdue, ...heads], request.holders),
    overdue: overdue.slice(0, request.overdue),
    overdueCut: overdue.length > request.overdue,
    heads: heads.slice(0, request.heads),
    headsCut: heads.length > request.heads,
  }
}

/** The holders of these rows, and those that are named. */
export function holdersOf(
  store: JsonStore,
  rows: readonly RunRow[],
  named: readonly HolderId[] = [],
): HolderRow[] {
  const ids = new Set([...named, ...rows.flatMap(({ holder }) => holder ?? [])])
  return [...ids].flatMap((id) => store.holders.get(id) ?? [])
}

function isOverdue(store: JsonStore, { repositories }: Domain, row: RunRow, now: number): boolean {
  if (repositories.some(({ repository, status }) => repository === row.repository && status === 'removing'))
    return true
  // A record waits for nobody; when it is due, housekeeping forgets it.
  if (row.phase === 'record') return false
  if (row.dueAt !== undefined && row.dueAt <= now) return true
  return row.holder !== undefined && !isAlive(store.holders.get(row.holder), now)
}
