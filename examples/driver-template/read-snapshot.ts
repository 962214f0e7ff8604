import {
  isSlot,
  type Place,
  type Query,
  queueOrder,
  type RepositoryRow,
  type RunRow,
  type Snapshot,
} from '@slotkeeper/core/driver'
import type { JsonStore } from './json-store.ts'
import { holdersOf } from './load-facts.ts'

/** How far a place is counted. */
const PLACE_CAP = 1000

/** Answers a query, at one moment. */
export function readSnapshot(store: JsonStore, query: Query): Snapshot {
  const { repositories = [], runs = [], place } = rowsOf(store, query)
  const holders = holdersOf(store, runs)
  return { now: store.now(), wall: Date.now(), repositories, runs, holders, place }
}

function rowsOf(
  store: JsonStore,
  query: Query,
): { repositories?: readonly RepositoryRow[]; runs?: readonly RunRow[]; place?: Place | undefined } {
  switch (query.kind) {
    case 'runs': {
      const keys = [...new Set(query.runs.map(({ repository }) => repository))]
      const domains = keys.map((key) => store.load(key).rows)
      const asked = (row: RunRow) =>
        query.runs.some(({ repository, run }) => row.repository === repository && row.run === run)
      return {
        repositories: domains.flatMap(({ repositories }) => repositories),
        runs: domains.flatMap(({ runs }) => runs.filter(asked)),
      }
    }
    case 'holder': {
      const all = store.domains.flatMap((domain) => store.load(domain).rows.runs)
      return { runs: all.filter(({ holder, phase }) => holder === query.holder && phase !== 'record') }
    }
    case 'repositories': {
      const all = store.domains.flatMap((domain) => store.load(domain).rows.repositories)
      const after = all.filter(({ repository }) => repository > query.after)
      after.sort((a, b) => (a.repository < b.repository ? -1 : 1))
      return { repositories: after.slice(0, query.first) }
    }
    case 'repository': {
      const { repositories, runs } = store.load(query.repository).rows
      const slots = runs.filter(({ phase }) => isSlot(phase)).sort((a, b) => a.token - b.token)
      const waiting = runs.filter(({ phase }) => phase === 'waiting').sort(queueOrder)
      const shown = [...slots.slice(0, query.slots), ...waiting.slice(0, query.waiting)]
      const named = runs.find(({ run }) => run === query.run)
      if (named !== undefined && !shown.includes(named)) shown.push(named)
      return {
        repositories,
        runs: shown,
        place: named?.phase === 'waiting' ? placeOf(named, waiting) : undefined,
      }
    }
  }
}

function placeOf(row: RunRow, waiting: readonly RunRow[]): Place {
  const eligible = waiting.filter(({ dueAt }) => dueAt === undefined)
  const before = eligible.filter((other) => queueOrder(other, row) < 0).length
  return before < PLACE_CAP ? before + 1 : { atLeast: PLACE_CAP + 1 }
}
