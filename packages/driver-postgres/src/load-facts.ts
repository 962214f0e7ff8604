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
import { arrayText } from './array-text.ts'
import type { Wire } from './connections.ts'
import type { Row, Step } from './flight.ts'
import { type JsonRow, repositoryOf, runOf } from './rows.ts'
import type { Statements } from './statements.ts'

/** The most rows of dead holders that one load takes; where there are more, every domain of it is told so. */
const MOST_ABANDONED = 2000
/** A clock that a person set so far ahead must not use up the tokens there are. */
export const HIGHEST_WALL_FLOOR_MS = Math.floor((2 ** 53 - 2 ** 40) / 1000)
const NO_GUARD = Object.freeze({ watchedUntil: 0, backlog: false })

/** What was loaded for several domains, under their locks. */
export interface Loaded {
  /** Somebody looks into the hints, since notifications do not reach him. */
  readonly isPolled: boolean
  /** For each batch; `undefined` for a domain that somebody else has locked. */
  readonly facts: readonly (Facts | undefined)[]
}

/**
 * Begins a transaction, locks the domains of these batches and loads what their decisions need: in one round trip, and another one where
 * something is overdue. One domain is waited for; of several, those that are locked are left.
 */
export async function loadFacts(
  wire: Wire,
  sql: Statements,
  lockSeed: string,
  batches: readonly DomainBatch[],
  budget: number,
): Promise<Loaded> {
  const requests = batches.map((batch) => sectionRequest(batch, budget))
  const domains = requests.map(({ domain }) => domain)
  const runs = requests.flatMap((request) => request.runs)
  const [, locked, found, ...rows] = (await wire.begin([
    { statement: sql.begin },
    domains.length === 1
      ? { statement: sql.lockDomain, values: [domains[0] as string, lockSeed] }
      : { statement: sql.tryLockDomains, values: [arrayText(domains), lockSeed] },
    { statement: sql.loadDomains, values: [arrayText(domains)] },
    {
      statement: sql.loadRuns,
      values: [arrayText(runs.map(({ repository }) => repository)), arrayText(runs.map(({ run }) => run))],
    },
    { statement: sql.loadHeads, values: [arrayText(domains), arrayText(requests.map(({ heads }) => heads))] },
    { statement: sql.loadHolders, values: [arrayText(requests.flatMap(({ holders }) => holders))] },
  ])) as [unknown, ...(readonly Row[])[]]
  const isLocked = new Set(domains.length === 1 ? domains : locked?.map(([domain]) => domain))
  const states = new Map<string, DomainState>()
  for (const row of found ?? [])
    if (isLocked.has(row[0] as string)) states.set(row[0] as string, stateOf(row))
  const mayBeOverdue = requests.filter(({ domain }) => states.get(domain)?.mayBeOverdue)
  const [overdue = []] =
    mayBeOverdue.length === 0 ? [] : await wire.run([overdueOf(sql, mayBeOverdue, states)])
  const up = Math.max(...[...states.values()].map((state) => state.up))
  const lists = new Lists([...rows, overdue], up)
  return {
    isPolled: found?.[0]?.[4] === 't',
    facts: requests.map((request) => {
      const state = states.get(request.domain)
      return state && lists.factsOf(request, state)
    }),
  }
}

/** A domain as `loadDomains` found it. */
interface DomainState {
  readonly wall: number
  /** Store time at which the server came up, if holders have had no time since to say that they are there. */
  readonly up: number
  readonly tokenFloor: number
  readonly repository: JsonRow | undefined
  readonly guard: JsonRow | undefined
  readonly mayBeOverdue: boolean
}

function stateOf([, wall, up, floor, , repository, guard, mayBeOverdue]: Row): DomainState {
  const ms = Number(wall)
  return {
    wall: ms,
    up: Number(up),
    tokenFloor: Math.max(Number(floor), ms <= HIGHEST_WALL_FLOOR_MS ? ms * 1000 : 0),
    repository: parsed(repository),
    guard: parsed(guard),
    mayBeOverdue: mayBeOverdue === 't',
  }
}

function overdueOf(
  sql: Statements,
  requests: readonly SectionRequest[],
  states: ReadonlyMap<string, DomainState>,
): Step {
  // All were found at one time.
  const { wall, up } = states.get(requests[0]?.domain as string) as DomainState
  const domains = requests.map(({ domain }) => domain)
  const most = requests.map(({ overdue }) => overdue)
  return {
    statement: sql.loadOverdue,
    values: [arrayText(domains), arrayText(most), String(wall), String(up), String(MOST_ABANDONED)],
  }
}

const NONE: readonly never[] = Object.freeze([])

/** The rows that were loaded, by their domain. */
class Lists {
  readonly #runs: ReadonlyMap<string, RunRow[]>
  readonly #heads: ReadonlyMap<string, RunRow[]>
  readonly #due = new Map<string, RunRow[]>()
  readonly #abandoned = new Map<string, RunRow[]>()
  readonly #removing = new Map<string, RunRow[]>()
  readonly #abandonedCut: boolean
  readonly #holders = new Map<string, HolderRow>()
  readonly #up: number

  constructor([runs, heads, holders, overdue]: readonly (readonly Row[])[], up: number) {
    this.#up = up
    for (const [holder] of holders ?? NONE) this.#know(holder)
    this.#runs = this.#filed(runs)
    this.#heads = this.#filed(heads)
    const kinds = { due: this.#due, abandoned: this.#abandoned, removing: this.#removing }
    let abandoned = 0
    for (const row of overdue ?? NONE) {
      const kind = row[2] as keyof typeof kinds
      if (kind === 'abandoned') abandoned++
      this.#file(kinds[kind], row)
    }
    this.#abandonedCut = abandoned >= MOST_ABANDONED
  }

  factsOf(request: SectionRequest, state: DomainState): Facts {
    const { domain } = request
    const { wall, tokenFloor, guard } = state
    const runs = this.#runs.get(domain) ?? NONE
    const heads = [...(this.#heads.get(domain) ?? NONE)].sort(queueOrder)
    const removing = this.#removing.get(domain) ?? NONE
    const overdue = [
      ...(this.#due.get(domain) ?? NONE),
      ...(this.#abandoned.get(domain) ?? NONE),
      ...removing,
    ]
    const known = new Set<HolderId>(request.holders)
    for (const list of [runs, overdue, heads])
      for (const { holder } of list) if (holder !== undefined) known.add(holder)
    const repository = state.repository && repositoryOf(state.repository)
    // Pinned rows were skipped, and a repository that still has some is not gone.
    const hidden =
      repository?.status === 'removing' &&
      removing.filter(isNoRecord).length < repository.live + repository.waiting
    return {
      domain,
      now: Math.max(wall, (state.repository?.committed_at as number | undefined) ?? 0),
      wall,
      tokenFloor,
      guard:
        guard === undefined
          ? NO_GUARD
          : { watchedUntil: guard.watched_until as number, backlog: guard.backlog as boolean },
      repositories: repository === undefined ? NONE : [repository],
      runs,
      holders: [...known].flatMap((id) => this.#holders.get(id) ?? NONE),
      overdue: overdue.slice(0, request.overdue),
      overdueCut: overdue.length > request.overdue || this.#abandonedCut || hidden,
      heads: heads.slice(0, request.heads),
      headsCut: heads.length > request.heads,
    }
  }

  #filed(rows: readonly Row[] | undefined): Map<string, RunRow[]> {
    const filed = new Map<string, RunRow[]>()
    for (const row of rows ?? NONE) this.#file(filed, row)
    return filed
  }

  #file(filed: Map<string, RunRow[]>, [json, holder]: Row): void {
    this.#know(holder)
    const row = runOf(parsed(json) as JsonRow)
    const list = filed.get(row.repository)
    if (list === undefined) filed.set(row.repository, [row])
    else list.push(row)
  }

  #know(json: string | null | undefined): void {
    const row = parsed(json)
    if (row === undefined) return
    const holder = row.holder as HolderId
    this.#holders.set(holder, {
      holder,
      expiresAt: Math.max(row.expires_at as number, this.#up + (row.ttl_ms as number)),
      dead: row.dead as boolean,
      epoch: row.epoch as number,
    })
  }
}

function parsed(json: string | null | undefined): JsonRow | undefined {
  return typeof json === 'string' ? JSON.parse(json) : undefined
}

function isNoRecord(row: RunRow): boolean {
  return row.phase !== 'record'
}
