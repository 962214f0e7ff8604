import {
  type HolderRow,
  isSlot,
  type Place,
  type Query,
  queueOrder,
  type RepositoryRow,
  type RunRow,
  type Snapshot,
} from '@slotkeeper/core/driver'
import { PLACE_CAP } from './memory-section.ts'
import type { MemoryStore } from './memory-store.ts'
import type { Kept } from './shelf.ts'

/** Answers a query with copies, so that later decisions do not change what was read. */
export function readMemory(store: MemoryStore, query: Query, now: number, wall: number): Snapshot {
  const repositories: RepositoryRow[] = []
  const runs: RunRow[] = []
  let place: Place | undefined
  switch (query.kind) {
    case 'runs':
      for (const { repository, run } of query.runs) {
        const shelf = store.shelfOf(repository)
        const row = shelf?.runs.get(run)
        if (row !== undefined) runs.push(copyRun(row))
        if (shelf?.repository !== undefined && !repositories.some((other) => other.repository === repository))
          repositories.push(copyRepository(shelf.repository))
      }
      break
    case 'holder':
      for (const shelf of store.shelves.values())
        for (const row of shelf.runs.values())
          if (
            row.holder === query.holder &&
            (query.only ?? row.phase) === row.phase &&
            row.phase !== 'record'
          )
            runs.push(copyRun(row))
      break
    case 'repository': {
      const shelf = store.shelfOf(query.repository)
      if (shelf?.repository === undefined) break
      repositories.push(copyRepository(shelf.repository))
      const slots: Kept[] = []
      const waiting: Kept[] = []
      if (query.slots > 0 || query.waiting > 0)
        for (const row of shelf.runs.values()) {
          if (isSlot(row.phase)) slots.push(row)
          else if (row.phase === 'waiting') waiting.push(row)
        }
      slots.sort((a, b) => a.token - b.token)
      waiting.sort(queueOrder)
      for (const row of [...slots.slice(0, query.slots), ...waiting.slice(0, query.waiting)])
        runs.push(copyRun(row))
      const named = query.run === undefined ? undefined : shelf.runs.get(query.run)
      if (named === undefined) break
      if (!runs.some((row) => row.run === named.run)) runs.push(copyRun(named))
      if (named.phase === 'waiting') {
        const before = shelf.queue?.countBefore(named, PLACE_CAP) ?? 0
        place = before < PLACE_CAP ? before + 1 : { atLeast: PLACE_CAP + 1 }
      }
      break
    }
    case 'repositories': {
      const keys = [...store.shelves.values()]
        .filter((shelf) => shelf.repository !== undefined && shelf.domain > query.after)
        .map((shelf) => shelf.domain)
      for (const key of keys.sort().slice(0, query.first))
        repositories.push(copyRepository(store.shelves.get(key)?.repository as RepositoryRow))
    }
  }
  const holders: HolderRow[] = []
  for (const row of runs) {
    const holder = row.holder === undefined ? undefined : store.holders.get(row.holder)
    if (holder !== undefined && !holders.some((other) => other.holder === holder.holder))
      holders.push({ ...holder })
  }
  return { now, wall, repositories, runs, holders, place }
}

function copyRun(row: Kept): RunRow {
  const { heapIndex: _index, at: _at, hash: _hash, below: _below, caller: _caller, ...copy } = row
  return copy
}

function copyRepository(row: RepositoryRow): RepositoryRow {
  return { ...row, numbers: [...row.numbers] }
}
