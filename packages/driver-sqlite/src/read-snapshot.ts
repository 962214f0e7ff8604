import {
  type HolderId,
  type HolderRow,
  type Place,
  type Query,
  queueOrder,
  type RepositoryKey,
  type RepositoryRow,
  type RunRow,
  type Snapshot,
} from '@slotkeeper/core/driver'
import { holderOf } from './mirror.ts'
import { repositoryOf } from './repository-columns.ts'
import { type Cell, runOf } from './run-columns.ts'
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
  const { recent } = store.mirror
  switch (query.kind) {
    case 'runs': {
      const runs = query.runs
        .map(({ repository, run }) => store.mirror.run(repository, run))
        .filter((row) => row !== undefined)
      return { runs, repositories: readRepositories(store, query.runs) }
    }
    case 'holder': {
      const runs = sql.ofHolder
        .all(query.holder)
        .map(([key, ...cells]) => runOf(key as RepositoryKey, cells))
        .filter((row) => recent.run(row.repository, row.run) === undefined)
      for (const row of recent.runs()) if (row.holder === query.holder) runs.push(row)
      return { runs, repositories: readRepositories(store, runs) }
    }
    case 'repositories':
      return {
        repositories: sql.repositories
          .all(query.after, query.first)
          .map((cells) => repositoryOf(cells, recent.counters(cells[0] as number))),
      }
    case 'repository':
      return readOne(store, query)
  }
}

function readOne(store: Store, query: Query & { kind: 'repository' }): Rows {
  const { sql, mirror } = store
  const { repository: key } = query
  const [repository] = readRepositories(store, [{ repository: key }])
  if (repository === undefined) return {}
  const id = mirror.idOf(key)
  const ofKey = (cells: readonly Cell[]) => runOf(key, cells)
  const recent = [...mirror.recent.runs(id)]
  const kept = sql.kept.all(id, query.slots).map(ofKey)
  const running = recent.filter((row) => row.phase === 'running')
  const settled = sql.running.all(id, query.slots + recent.length).map(ofKey)
  for (const row of settled) if (mirror.recent.run(key, row.run) === undefined) running.push(row)
  const heads = sql.heads.all(id, query.waiting)
  const parked = sql.parked.all(id, query.waiting)
  const waiting = [...heads, ...parked].map(ofKey).sort(queueOrder).slice(0, query.waiting)
  const slots = [...kept, ...running].slice(0, query.slots).sort((a, b) => a.token - b.token)
  const runs = [...slots, ...waiting]
  const asked = query.run === undefined ? undefined : mirror.run(key, query.run)
  if (asked !== undefined && !runs.some((row) => row.run === asked.run)) runs.push(asked)
  return {
    repositories: [repository],
    runs,
    place: asked?.phase === 'waiting' ? readPlace(store, id, asked) : undefined,
  }
}

function readPlace(store: Store, id: number, row: RunRow): Place {
  const { sql } = store
  let before = sql.before.get(id, row.priority, COUNTED_PLACES) as number
  if (before < COUNTED_PLACES)
    before += sql.beforeAmongEquals.get(id, row.priority, row.sequence, COUNTED_PLACES - before) as number
  return before < COUNTED_PLACES ? before + 1 : { atLeast: COUNTED_PLACES + 1 }
}

function readRepositories(
  store: Store,
  of: readonly { readonly repository: RepositoryKey }[],
): RepositoryRow[] {
  const keys = new Set(of.map(({ repository }) => repository))
  const rows: RepositoryRow[] = []
  for (const key of keys) {
    const { row } = store.mirror.repository(key)
    if (row !== undefined) rows.push({ ...row, numbers: row.numbers.slice() })
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
