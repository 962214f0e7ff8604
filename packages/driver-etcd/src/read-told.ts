import type { HolderId, Query, RunRow, Snapshot } from '@slotkeeper/core/driver'
import type { Deciding } from './call.ts'
import type { DomainDocument } from './document.ts'
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
  const documents = new Map<string, DomainDocument>()
  const runs: RunRow[] = []
  for (const { repository, run } of query.runs) {
    const document = documents.get(repository) ?? shared.told(repository)
    const row = document?.rows.find((one) => one.run === run)
    if (document === undefined || row === undefined) return undefined
    documents.set(repository, document)
    runs.push({ ...row })
  }
  const { now, wall } = supposedMoment(store)
  const all = [...documents.values()]
  const holders = new Set(runs.flatMap(({ holder }) => holder ?? [])) as Set<HolderId>
  return {
    now: Math.max(now, ...all.map(({ committedAt }) => committedAt)),
    wall,
    repositories: all.flatMap(({ repository }) => repository ?? []),
    runs,
    holders: [...holders].flatMap((holder) => store.living.get(holder) ?? []),
    place: undefined,
  }
}
