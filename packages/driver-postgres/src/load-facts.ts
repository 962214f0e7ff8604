import {
  type DomainBatch,
  type Facts,
  type HolderId,
  type HolderRow,
  queueOrder,
  type RunRow,
  type SectionRequest,
  sectionRequest,
} from '@slotkeeper/core/driver'
import type { Step } from './flight.ts'
import { holderOf, type JsonRow, repositoryOf, runOf } from './rows.ts'
import type { Statements } from './statements.ts'

/** The most rows of dead holders that one load takes; where there are more, every domain of it is told so. */
const MOST_ABANDONED = 2000
/** A clock that a person set so far ahead must not use up the tokens there are. */
export const HIGHEST_WALL_FLOOR_MS = Math.floor((2 ** 53 - 2 ** 40) / 1000)
const NO_GUARD = Object.freeze({ watchedUntil: 0, backlog: false })

/** What `load` answers. Lists without rows are absent. */
interface Loaded {
  readonly wall: number
  /** The domains that were locked; nothing was loaded of the others. */
  readonly locked: readonly string[]
  readonly floor: number
  /** Somebody looks into the hints, since notifications do not reach him. */
  readonly polled: boolean
  readonly repositories: readonly JsonRow[] | null
  readonly guards: readonly JsonRow[] | null
  readonly named: readonly JsonRow[] | null
  readonly due: readonly JsonRow[] | null
  readonly abandoned: readonly JsonRow[] | null
  readonly removing: readonly JsonRow[] | null
  readonly heads: readonly JsonRow[] | null
  readonly holders: readonly JsonRow[] | null
}

/** The step that loads what the decisions of these batches need, and what reads its answer: facts in the same order, of those locked. */
export function loading(
  { load }: Statements,
  batches: readonly DomainBatch[],
  budget: number,
): {
  readonly step: Step
  facts(json: string): { readonly isPolled: boolean; readonly found: (Facts | undefined)[] }
} {
  const requests = batches.map((batch) => sectionRequest(batch, budget))
  const step = {
    statement: load,
    values: [
      JSON.stringify(requests.map(({ domain, overdue, heads }) => ({ domain, overdue, heads }))),
      JSON.stringify(
        requests.flatMap((request) => request.runs.map(({ repository, run }) => ({ repository, run }))),
      ),
      JSON.stringify(requests.flatMap((request) => request.holders)),
      String(MOST_ABANDONED),
    ],
  }
  return {
    step,
    facts: (json) => {
      const loaded = JSON.parse(json) as Loaded
      return { isPolled: loaded.polled, found: toFacts(requests, loaded) }
    },
  }
}

function toFacts(requests: readonly SectionRequest[], loaded: Loaded): (Facts | undefined)[] {
  const { wall } = loaded
  const locked = new Set(loaded.locked)
  const holders = new Map<string, HolderRow>()
  for (const row of loaded.holders ?? []) holders.set(row.holder as string, holderOf(row))
  const abandonedCut = (loaded.abandoned?.length ?? 0) >= MOST_ABANDONED
  const tokenFloor = Math.max(loaded.floor, wall <= HIGHEST_WALL_FLOOR_MS ? wall * 1000 : 0)

  return requests.map((request) => {
    const { domain } = request
    if (!locked.has(domain)) return undefined
    const json = loaded.repositories?.find((row) => row.repository_key === domain)
    const guard = loaded.guards?.find((row) => row.domain === domain)
    const ofDomain = (rows: readonly JsonRow[] | null) =>
      rows?.filter((row) => row.repository_key === domain).map(runOf) ?? []
    const removing = ofDomain(loaded.removing)
    const overdue = [...ofDomain(loaded.due), ...ofDomain(loaded.abandoned), ...removing]
    const heads = ofDomain(loaded.heads).sort(queueOrder)
    const runs = ofDomain(loaded.named)
    const known = new Set<HolderId>(request.holders)
    for (const row of [...runs, ...overdue, ...heads]) if (row.holder !== undefined) known.add(row.holder)
    const repository = json === undefined ? undefined : repositoryOf(json)
    // Pinned rows were skipped, and a repository that still has some is not gone.
    const hidden =
      repository?.status === 'removing' &&
      removing.filter(isNoRecord).length < repository.live + repository.waiting
    return {
      domain,
      now: Math.max(wall, (json?.committed_at as number | undefined) ?? 0),
      wall,
      tokenFloor,
      guard:
        guard === undefined
          ? NO_GUARD
          : { watchedUntil: guard.watched_until as number, backlog: guard.backlog as boolean },
      repositories: repository === undefined ? [] : [repository],
      runs,
      holders: [...known].flatMap((id) => holders.get(id) ?? []),
      overdue: overdue.slice(0, request.overdue),
      overdueCut: overdue.length > request.overdue || abandonedCut || hidden,
      heads: heads.slice(0, request.heads),
      headsCut: heads.length > request.heads,
    }
  })
}

function isNoRecord(row: RunRow): boolean {
  return row.phase !== 'record'
}
