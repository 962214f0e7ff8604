import {
  type HolderId,
  type HolderRow,
  type Place,
  type Query,
  queueOrder,
  type RepositoryKey,
  type RepositoryRow,
  type RunKey,
  type RunRow,
  type Snapshot,
} from '@slotkeeper/core/driver'
import { holderOf } from './mirror.ts'
import { repositoryOf } from './repository-columns.ts'
import { runOf } from './run-columns.ts'
import type { Store } from './store.ts'

/** Places are counted up to here; further back it is only said that they are. */
const COUNTED_PLACES = 1000

type Rows = Partial<Pick<Snapshot, 'repositories' | 'runs' | 'place'>>

/** Answers a query from one moment of the file. No queue is loaded or counted whole. */
export function readSnapshot(store: Store, query: Query): Snapshot {
  return store.read(() => {
    const { repositories = [], runs = [], place } = readRows(store, query)
    return {
      now: store.now(),
      wall: store.wall(),
      repositories,
      runs,
      holders: readHolders(store, runs),
      place,
    }
  })
}

function readRows(store: Store, query: Query): Rows {
  const { sql } = store
  switch (query.kind) {
    case 'runs': {
      const runs = query.runs
        .map(({ repository, run }) => readRun(store, repository, run))
        .filter((row) => row !== undefined)
      return { runs, repositories: readRepositories(store, query.runs) }
    }
    case 'holder': {
      const runs = sql.ofHolder.all(query.holder).map(runOf)
      return { runs, repositories: readRepositories(store, runs) }
    }
    case 'repositories':
      return { repositories: sql.repositories.all(query.after, query.first).map(repositoryOf) }
    case 'repository':
      return readOne(store, query)
  }
}

function readOne(store: Store, query: Query & { kind: 'repository' }): Rows {
  const { sql } = store
  const { repository: key } = query
  const [repository] = readRepositories(store, [{ repository: key }])
  if (repository === undefined) return {}
  const kept = sql.kept.all(key, query.slots)
  const running = sql.running.all(key, Math.max(0, query.slots - kept.length))
  const heads = sql.heads.all(key, query.waiting)
  const parked = sql.parked.all(key, query.waiting)
  const waiting = [...heads, ...parked].map(runOf).sort(queueOrder).slice(0, query.waiting)
  const slots = [...kept, ...running].map(runOf).sort((a, b) => a.token - b.token)
  const runs = [...slots, ...waiting]
  const asked = query.run === undefined ? undefined : readRun(store, key, query.run)
  if (asked !== undefined && !runs.some((row) => row.run === asked.run)) runs.push(asked)
  return {
    repositories: [repository],
    runs,
    place: asked?.phase === 'waiting' ? readPlace(store, asked) : undefined,
  }
}

function readPlace(store: Store, row: RunRow): Place {
  const { sql } = store
  let before = sql.before.get(row.repository, row.priority, COUNTED_PLACES) as number
  if (before < COUNTED_PLACES)
    before += sql.beforeAmongEquals.get(
      row.repository,
      row.priority,
      row.sequence,
      COUNTED_PLACES - before,
    ) as number
  return before < COUNTED_PLACES ? before + 1 : { atLeast: COUNTED_PLACES + 1 }
}

function readRun(store: Store, repository: RepositoryKey, run: RunKey): RunRow | undefined {
  const cells = store.sql.run.get(repository, run)
  return cells && runOf(cells)
}

function readRepositories(
  store: Store,
  of: readonly { readonly repository: RepositoryKey }[],
): RepositoryRow[] {
  const keys = new Set(of.map(({ repository }) => repository))
  const rows: RepositoryRow[] = []
  for (const key of keys) {
    const cells = store.sql.repository.get(key)
    if (cells !== undefined) rows.push(repositoryOf(cells))
  }
  return rows
}

function readHolders(store: Store, runs: readonly RunRow[]): HolderRow[] {
  const ids = new Set<HolderId>()
  for (const { holder } of runs) if (holder !== undefined) ids.add(holder)
  const rows: HolderRow[] = []
  for (const id of ids) {
    const cells = store.sql.holder.get(id)
    if (cells !== undefined) rows.push(holderOf(cells))
  }
  return rows
}
