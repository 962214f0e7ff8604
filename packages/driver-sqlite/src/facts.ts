import {
  type DomainBatch,
  type Facts,
  type HolderId,
  type HolderRow,
  queueOrder,
  type RepositoryKey,
  type RepositoryRow,
  type RunRow,
  StoreError,
  sectionRequest,
} from '@slotkeeper/core/driver'
import type { KnownRepository } from './mirror.ts'
import type { Cell } from './run-columns.ts'
import type { Store } from './store.ts'

const NO_GUARD = Object.freeze({ watchedUntil: 0, backlog: false })
const NO_ROWS: readonly RunRow[] = Object.freeze([])

/** Loads what a decision needs of one domain. Runs inside a write transaction. */
export function loadFacts(store: Store, batch: DomainBatch, budget: number): Facts {
  const { mirror } = store
  const request = sectionRequest(batch, budget)
  // Processes read the uptime a hair apart.
  let now = store.now()
  for (const key of request.repositories) now = Math.max(now, mirror.repository(key).committedAt)
  const wall = store.wall()
  const repositories: RepositoryRow[] = []
  const holders: HolderRow[] = []
  let overdue = NO_ROWS
  let heads = NO_ROWS

  for (const key of request.repositories) {
    const known = mirror.repository(key)
    const { row } = known
    if (row === undefined) continue
    repositories.push({ ...row, numbers: row.numbers.slice() })
    if (row.live > 0 || row.waiting > 0)
      overdue = join(overdue, loadOverdue(store, known, row, now, request.overdue + 1))
    if (row.waiting > 0) heads = join(heads, loadHeads(store, known, key, request.heads + 1))
  }
  if (repositories.length > 1) heads = [...heads].sort(queueOrder)

  const runs: RunRow[] = []
  for (const { repository, run } of request.runs) {
    const row = mirror.run(repository, run)
    if (row !== undefined) runs.push(row)
  }
  const know = (id: HolderId | undefined) => {
    if (id === undefined || holders.some(({ holder }) => holder === id)) return
    const holder = mirror.holder(id)
    if (holder !== undefined) holders.push(holder)
  }
  for (const id of request.holders) know(id)
  for (const row of runs) know(row.holder)
  for (const row of overdue) know(row.holder)
  for (const row of heads) know(row.holder)

  return {
    domain: batch.domain,
    now,
    wall,
    tokenFloor: store.tokenFloor(wall),
    guard: mirror.guard(batch.domain) ?? NO_GUARD,
    repositories,
    runs,
    holders,
    overdue: overdue.length > request.overdue ? overdue.slice(0, request.overdue) : overdue,
    overdueCut: overdue.length > request.overdue,
    heads: heads.length > request.heads ? heads.slice(0, request.heads) : heads,
    headsCut: heads.length > request.heads,
  }
}

function loadOverdue(
  store: Store,
  known: KnownRepository,
  row: RepositoryRow,
  now: number,
  limit: number,
): readonly RunRow[] {
  const { mirror, sql } = store
  const { repository: key } = row
  const id = mirror.idOf(key)
  if (row.status === 'removing') {
    // Its records need no deleting: they belong to this life of it.
    mirror.settle(key)
    return sql.live.all({ repository: id, limit }).map((cells) => mirror.keep(key, cells))
  }
  const due = mirror.firstDue(known) <= now ? sql.due.all(id, now, limit) : []
  let abandoned: Cell[][] = []
  if (mirror.anyGone(now)) {
    mirror.settle(key)
    abandoned = sql.abandoned.all({ repository: id, now, limit })
  }
  return due.length + abandoned.length === 0
    ? NO_ROWS
    : [...due, ...abandoned].map((cells) => mirror.keep(key, cells))
}

function loadHeads(
  { sql, mirror }: Store,
  known: KnownRepository,
  repository: RepositoryKey,
  limit: number,
): readonly RunRow[] {
  const id = mirror.idOf(repository)
  // Nothing is remembered: somebody else has committed.
  if (known.runs.size === 0) return sql.heads.all(id, limit).map((cells) => mirror.keep(repository, cells))
  return sql.headKeys.all(id, limit).map((run) => {
    const row = mirror.run(repository, run)
    if (row === undefined)
      throw new StoreError(
        'SLOTKEEPER_STORE_CORRUPT',
        `The queue of ${repository} names ${run}, which has no row.`,
      )
    return row
  })
}

function join(a: readonly RunRow[], b: readonly RunRow[]): readonly RunRow[] {
  return a.length === 0 ? b : [...a, ...b]
}
