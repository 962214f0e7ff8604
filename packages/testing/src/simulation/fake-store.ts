import {
  type Changes,
  type DomainBatch,
  type Facts,
  type Guard,
  type HolderId,
  HolderLostError,
  type HolderRow,
  type HolderTerm,
  isAlive,
  isSlot,
  type Place,
  type Query,
  queueOrder,
  type RepositoryKey,
  type RepositoryRow,
  type RunKey,
  type RunRow,
  type Snapshot,
  type Sweep,
  sectionRequest,
} from '@slotkeeper/core/driver'
import type { Auditor } from './auditor.ts'

/** What a store is like. */
export interface StoreTraits {
  /** The most rows of one commit. */
  readonly budget: number
  /** How far one process's look at store time may lag behind another's. */
  readonly clockLagMs: number
  /** Tokens start at the wall clock; else only at the floor that removals leave. */
  readonly wallTokens: boolean
}

/** A domain as it was loaded, and what a commit has to compare. */
export interface Loaded {
  readonly facts: Facts
  readonly version: number
}

interface Domain {
  guard: Guard
  version: number
  /** Store time of the last commit. */
  committedAt: number
  sweptUntil: number
}

interface Holder {
  readonly holder: HolderId
  readonly ttlMs: number
  expiresAt: number
  dead: boolean
  epoch: number
}

/** How long a sweeper has a domain to itself. */
const CLAIMED_MS = 1500

/**
 * A store made of plain maps. It keeps rows and compares guards, and decides nothing: who uses it loads facts, decides and commits, as
 * with every real store. Guards outlive their repositories.
 */
export class FakeStore {
  readonly traits: StoreTraits
  readonly repositories = new Map<RepositoryKey, RepositoryRow>()
  readonly runs = new Map<RepositoryKey, Map<RunKey, RunRow>>()
  readonly holders = new Map<HolderId, Holder>()
  readonly domains = new Map<string, Domain>()
  tokenFloor = 0
  readonly #time: () => number
  readonly #wall: () => number
  readonly #auditor: Auditor | undefined

  constructor(traits: StoreTraits, clocks: { time: () => number; wall: () => number }, auditor?: Auditor) {
    this.traits = traits
    this.#time = clocks.time
    this.#wall = clocks.wall
    this.#auditor = auditor
  }

  /** Store time as a process with this lag sees it. */
  now(lagMs: number): number {
    return this.#time() - lagMs
  }

  load(batch: DomainBatch, lagMs: number): Loaded {
    const { budget } = this.traits
    const request = sectionRequest(batch, budget)
    const domain = this.#domain(batch.domain)
    const now = Math.max(this.now(lagMs), domain.committedAt)
    const wall = this.#wall()
    const repositories: RepositoryRow[] = []
    const overdue: RunRow[] = []
    const heads: RunRow[] = []
    for (const key of request.repositories) {
      const row = this.repositories.get(key)
      if (row === undefined) continue
      repositories.push(copyRepository(row))
      for (const run of this.rowsOf(key)) {
        if (row.status === 'removing' || this.isOverdue(run, now)) overdue.push(run)
        if (run.phase === 'waiting' && run.dueAt === undefined) heads.push(run)
      }
    }
    heads.sort(queueOrder)
    const runs = request.runs.flatMap(({ repository, run }) => this.row(repository, run) ?? [])
    const shown = {
      overdue: overdue.slice(0, request.overdue).map(copyRun),
      heads: heads.slice(0, request.heads).map(copyRun),
      runs: runs.map(copyRun),
    }
    const holders = new Map<HolderId, HolderRow>()
    const know = (id: HolderId | undefined) => {
      const holder = id === undefined ? undefined : this.holders.get(id)
      if (holder !== undefined) holders.set(holder.holder, { ...holder })
    }
    for (const id of request.holders) know(id)
    for (const row of [...shown.overdue, ...shown.heads, ...shown.runs]) know(row.holder)
    const facts: Facts = {
      domain: batch.domain,
      now,
      wall,
      tokenFloor: Math.max(this.tokenFloor, this.traits.wallTokens ? Math.floor(wall * 1000) : 0),
      guard: { ...domain.guard },
      repositories,
      holders: [...holders.values()],
      ...shown,
      overdueCut: overdue.length > request.overdue,
      headsCut: heads.length > request.heads,
    }
    return { facts, version: domain.version }
  }

  /** Commits all of it, or nothing and says so: the guard moved, or a holder is not what the decision took it for. */
  commit(batch: DomainBatch, loaded: Loaded, changes: Changes): boolean {
    const domain = this.#domain(batch.domain)
    const { facts } = loaded
    if (domain.version !== loaded.version) return false
    for (const id of changes.alive) if (this.holders.get(id)?.dead !== false) return false
    for (const id of changes.buried) {
      const holder = this.holders.get(id)
      if (holder !== undefined && !holder.dead && holder.expiresAt > facts.now) return false
    }
    if (changes.empty) return true
    const before = this.#auditor?.before(this, batch.domain as RepositoryKey, changes)
    domain.version++
    domain.committedAt = facts.now
    for (const { row } of changes.runs) this.#rows(row.repository).set(row.run, copyRun(row))
    for (const { row } of changes.droppedRuns) this.#rows(row.repository).delete(row.run)
    for (const row of changes.repositories) this.repositories.set(row.repository, copyRepository(row))
    for (const key of changes.droppedRepositories) this.repositories.delete(key)
    this.tokenFloor = Math.max(this.tokenFloor, changes.tokenFloor)
    if (changes.guard !== undefined) {
      domain.guard = { ...changes.guard }
      domain.sweptUntil = 0
    }
    for (const id of changes.buried) {
      const holder = this.holders.get(id)
      if (holder !== undefined) holder.dead = true
    }
    for (const id of changes.bumped) {
      const holder = this.holders.get(id)
      if (holder !== undefined) holder.epoch++
    }
    if (before !== undefined) this.#auditor?.after(this, before, batch, facts, changes)
    return true
  }

  openHolder(holder: HolderId, ttlMs: number, lagMs: number): HolderTerm {
    const now = this.now(lagMs)
    // The answer to a repetition: an id is used once.
    if (!this.holders.has(holder)) {
      const expiresAt = now + ttlMs + this.traits.clockLagMs
      this.holders.set(holder, { holder, ttlMs, expiresAt, dead: false, epoch: 0 })
    }
    return { now, ttlMs, epoch: this.holders.get(holder)?.epoch ?? 0, sweep: this.needsSweep(lagMs) }
  }

  heartbeat(holder: HolderId, lagMs: number): HolderTerm {
    const now = this.now(lagMs)
    const row = this.holders.get(holder)
    if (row === undefined || !isAlive(row, now)) throw new HolderLostError(holder)
    row.expiresAt = Math.max(row.expiresAt, now + row.ttlMs + this.traits.clockLagMs)
    return { now, ttlMs: row.ttlMs, epoch: row.epoch, sweep: this.needsSweep(lagMs) }
  }

  closeHolder(holder: HolderId): void {
    const row = this.holders.get(holder)
    if (row !== undefined) row.dead = true
  }

  /** The store was down: whoever was alive then has one TTL from now. */
  start(): void {
    const now = this.#time()
    for (const row of this.holders.values())
      if (!row.dead) row.expiresAt = Math.max(row.expiresAt, now + row.ttlMs + this.traits.clockLagMs)
  }

  needsSweep(lagMs: number): boolean {
    const now = this.now(lagMs)
    for (const key of this.domains.keys()) if (this.#needsDecision(key as RepositoryKey, now)) return true
    for (const ofRepository of this.runs.values())
      for (const row of ofRepository.values())
        if (row.phase === 'record' && (row.dueAt ?? Number.POSITIVE_INFINITY) <= now) return true
    return false
  }

  sweep(budget: number, lagMs: number): Sweep {
    const now = this.now(lagMs)
    const domains: string[] = []
    for (const [key, domain] of this.domains)
      if (domain.sweptUntil <= now && this.#needsDecision(key as RepositoryKey, now)) {
        if (domains.length >= budget) return { domains, more: true }
        domain.sweptUntil = now + CLAIMED_MS
        domains.push(key)
      }
    this.#forget(now)
    return { domains, more: false }
  }

  read(query: Query, lagMs: number): Snapshot {
    const repositories: RepositoryRow[] = []
    const runs: RunRow[] = []
    let place: Place | undefined
    switch (query.kind) {
      case 'runs':
        for (const { repository, run } of query.runs) {
          const row = this.row(repository, run)
          const of = this.repositories.get(repository)
          if (row !== undefined) runs.push(copyRun(row))
          if (of !== undefined && !repositories.some((other) => other.repository === repository))
            repositories.push(copyRepository(of))
        }
        break
      case 'holder':
        for (const key of this.runs.keys())
          for (const row of this.rowsOf(key))
            if (row.holder === query.holder && row.phase !== 'record') runs.push(copyRun(row))
        break
      case 'repository': {
        const of = this.repositories.get(query.repository)
        if (of === undefined) break
        repositories.push(copyRepository(of))
        const rows = [...this.rowsOf(query.repository)]
        const slots = rows.filter((row) => isSlot(row.phase)).sort((a, b) => a.token - b.token)
        const waiting = rows.filter((row) => row.phase === 'waiting').sort(queueOrder)
        runs.push(
          ...slots.slice(0, query.slots).map(copyRun),
          ...waiting.slice(0, query.waiting).map(copyRun),
        )
        const named = query.run === undefined ? undefined : this.row(query.repository, query.run)
        if (named === undefined) break
        if (!runs.some((row) => row.run === named.run)) runs.push(copyRun(named))
        if (named.phase === 'waiting')
          place =
            waiting.filter((row) => row.dueAt === undefined).findIndex((row) => row.run === named.run) + 1
        break
      }
      case 'repositories':
        for (const key of [...this.repositories.keys()].sort())
          if (key > query.after && repositories.length < query.first)
            repositories.push(copyRepository(this.repositories.get(key) as RepositoryRow))
    }
    const holders = new Map<HolderId, HolderRow>()
    for (const row of runs) {
      const holder = row.holder === undefined ? undefined : this.holders.get(row.holder)
      if (holder !== undefined) holders.set(holder.holder, { ...holder })
    }
    return {
      now: this.now(lagMs),
      wall: this.#wall(),
      repositories,
      runs,
      holders: [...holders.values()],
      place,
    }
  }

  row(repository: RepositoryKey, run: RunKey): RunRow | undefined {
    return this.runs.get(repository)?.get(run)
  }

  rowsOf(repository: RepositoryKey): Iterable<RunRow> {
    return this.runs.get(repository)?.values() ?? []
  }

  /** Whether a holder is neither dead nor overdue. */
  isLive(holder: HolderId, now: number): boolean {
    return isAlive(this.holders.get(holder), now)
  }

  isOverdue(row: RunRow, now: number): boolean {
    if (row.phase === 'record') return false
    return (
      (row.dueAt !== undefined && row.dueAt <= now) ||
      (row.holder !== undefined && !this.isLive(row.holder, now))
    )
  }

  guardOf(domain: string): Readonly<Guard> {
    return this.#domain(domain).guard
  }

  #needsDecision(key: RepositoryKey, now: number): boolean {
    const repository = this.repositories.get(key)
    if (this.#domain(key).guard.backlog || repository?.status === 'removing') return true
    if (repository?.status === 'removed' && (repository.dueAt ?? 0) <= now) return true
    for (const row of this.rowsOf(key)) if (this.isOverdue(row, now)) return true
    return false
  }

  #forget(now: number): void {
    const named = new Set<HolderId>()
    for (const ofRepository of this.runs.values())
      for (const row of ofRepository.values()) {
        if (row.phase === 'record' && (row.dueAt ?? Number.POSITIVE_INFINITY) <= now) {
          // What was forgotten is not what a decision read.
          this.#domain(row.repository).version++
          ofRepository.delete(row.run)
        } else if (row.holder !== undefined) named.add(row.holder)
      }
    for (const holder of this.holders.values()) {
      if (!holder.dead && holder.expiresAt <= now) holder.dead = true
      if (holder.dead && !named.has(holder.holder)) this.holders.delete(holder.holder)
    }
  }

  #rows(repository: RepositoryKey): Map<RunKey, RunRow> {
    let rows = this.runs.get(repository)
    if (rows === undefined) {
      rows = new Map()
      this.runs.set(repository, rows)
    }
    return rows
  }

  #domain(key: string): Domain {
    let domain = this.domains.get(key)
    if (domain === undefined) {
      domain = {
        guard: { watchedUntil: 0, backlog: false },
        version: 0,
        committedAt: Number.NEGATIVE_INFINITY,
        sweptUntil: 0,
      }
      this.domains.set(key, domain)
    }
    return domain
  }
}

function copyRun(row: RunRow): RunRow {
  return { ...row }
}

function copyRepository(row: RepositoryRow): RepositoryRow {
  return { ...row, numbers: [...row.numbers] }
}
