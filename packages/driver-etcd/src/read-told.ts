import type { Query, Snapshot } from '@slotkeeper/core/driver'
import type { Deciding } from './call.ts'
import { supposedMoment } from './store.ts'

/**
 * Answers without asking the store where a query wants no more than what the store has told already: rows in documents that are followed.
 * `undefined` where one of them is not there.
 */
export function readTold(
  { store, shared }: Pick<Deciding, 'store' | 'shared'>,
  query: Query,
): Snapshot | undefined {
  if (query.kind !== 'runs' || query.asOf !== 'hints') return undefined
  const runs = query.runs.flatMap(
    ({ repository, run }) => shared.told(repository)?.rows.find((row) => row.run === run) ?? [],
  )
  if (runs.length < query.runs.length) return undefined
  const documents = [...new Set(query.runs.flatMap(({ repository }) => shared.told(repository) ?? []))]
  const { now, wall } = supposedMoment(store)
  return {
    now: Math.max(now, ...documents.map(({ committedAt }) => committedAt)),
    wall,
    repositories: documents.flatMap(({ repository }) => repository ?? []),
    runs: runs.map((row) => ({ ...row })),
    holders: runs.flatMap(({ holder }) => (holder && store.living.get(holder)) ?? []),
    place: undefined,
  }
}
