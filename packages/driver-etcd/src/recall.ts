import type {
  HolderId,
  HolderRow,
  RepositoryKey,
  RunKey,
  RunRow,
  SectionRequest,
} from '@slotkeeper/core/driver'
import { firstDue, NO_DOCUMENT } from './document.ts'
import { type Loaded, loadedOf, packedHeads } from './loaded.ts'
import type { Known } from './memory.ts'
import type { Moment, Store } from './store.ts'

const UNKNOWN: Known = { document: NO_DOCUMENT, revision: 0 }

/**
 * What this process remembers of the domain, for a decision that the commit proves right or refuses; a domain of which it knows nothing is
 * supposed to be new. `undefined` where it has to look: it does not know a holder, there is something to settle, or the head of the queue
 * is not in the document.
 */
export function recall(store: Store, request: SectionRequest, moment: Moment): Loaded | undefined {
  const { memory, living } = store
  const domain = request.domain as RepositoryKey
  const { document, revision } = memory.get(domain) ?? UNKNOWN
  const { repository, guard, rows, levels, wakeAt } = document
  if ((repository !== undefined && repository.status !== 'present') || guard.backlog) return undefined
  const now = Math.max(moment.now, document.committedAt)
  const due = firstDue(document)
  if ((due !== null && due <= now) || (wakeAt !== null && wakeAt <= now)) return undefined
  const heads = packedHeads(document, request.heads)
  if (levels.length > 0 && heads.length < request.heads) return undefined
  const named: RunRow[] = []
  const absent: RunKey[] = []
  for (const { run } of request.runs) {
    const row = rows.find((one) => one.run === run)
    if (row === undefined) absent.push(run)
    else named.push(row)
  }
  const holders = new Map<HolderId, HolderRow>()
  const wanted = [
    ...request.holders,
    ...named.map(({ holder }) => holder),
    ...heads.map(({ holder }) => holder),
  ]
  for (const holder of wanted) {
    if (holder === undefined || holders.has(holder)) continue
    const row = living.get(holder)
    if (row === undefined) return undefined
    holders.set(holder, row)
  }
  return loadedOf({
    ...{ domain, moment, now, document, revision, named, heads },
    supposed: { absent, alive: [...holders.keys()] },
    holders: [...holders.values()],
    overdue: [],
    overdueCut: false,
    laterDue: undefined,
    filedHeads: [],
    dead: [],
  })
}
