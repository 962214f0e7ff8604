import {
  type Command,
  type Decide,
  type Decision,
  type Guard,
  type HolderId,
  isAlive,
  queueOrder,
  RecordedSection,
  type RepositoryKey,
  type RunKey,
  type RunRow,
  type StoreEvent,
  sectionRequest,
} from '@slotkeeper/core/driver'
import { batchOf } from '../conformance/desk.ts'
import { FakeStore } from '../simulation/fake-store.ts'
import { Disagreement } from './disagreement.ts'
import { ruleNamed } from './rule-of.ts'
import type { Seen } from './seen.ts'

/** What became of a batch in the model. */
export interface Decided {
  readonly decision: Decision
  readonly events: readonly StoreEvent[]
  /** Somebody wanted to hear of every event. */
  readonly watched: boolean
}

/**
 * The other side of the comparison: the shipped `decide` over plain maps. It has no store time of its own: it decides with the times that
 * the driver showed, after it has looked at them.
 */
export class Model {
  readonly store: FakeStore
  readonly #decide: Decide
  readonly #clockLagMs: number
  /** Until when each holder's last term reaches in this process's own time, from the moment at which it was asked for. */
  readonly #terms = new Map<HolderId, number>()
  #now = Number.NEGATIVE_INFINITY

  constructor(decide: Decide, traits: { readonly budget: number; readonly clockLagMs: number }) {
    this.#decide = decide
    this.#clockLagMs = traits.clockLagMs
    this.store = new FakeStore(
      { ...traits, wallTokens: false },
      { time: () => this.#now, wall: () => this.#now },
    )
  }

  /** The latest store time that the driver told. */
  get now(): number {
    return this.#now
  }

  /** Notes a store time that the driver told. One clock, so it agrees with the latest one as far as the manifest says. */
  tell(now: number, where: string): void {
    if (now < this.#now - this.#clockLagMs)
      throw new Disagreement(
        ruleNamed('8'),
        `Store time went back from ${this.#now} to ${now} (${where}); the manifest allows ${this.#clockLagMs} ms between processes.`,
      )
    this.#now = Math.max(this.#now, now)
  }

  /** Decides a batch as the driver did: at the same time, with the same window. Outcomes go into the commands, which are the model's. */
  decide(domain: string, by: HolderId | undefined, commands: readonly Command[], seen: Seen): Decided {
    const { store } = this
    this.#check(domain, by, seen)
    for (const { ref, row } of seen.runs)
      if (row === undefined) this.forget(ref.repository, ref.run, seen.now)
    for (const [id, row] of seen.holders) this.#meet(id, row, seen.now)
    const batch = batchOf(domain, commands, by)
    this.#checkWindow(domain as RepositoryKey, seen)
    const { facts, version } = store.load(batch, 0)
    const rows = [...store.rowsOf(domain as RepositoryKey)]
    const heads = rows.filter((row) => row.phase === 'waiting' && row.dueAt === undefined).sort(queueOrder)
    const { heads: page } = sectionRequest(batch, store.traits.budget)
    const loaded = {
      ...facts,
      now: seen.now,
      wall: seen.wall,
      tokenFloor: seen.tokenFloor,
      holders: [...store.holders.values()].map((holder) => ({ ...holder })),
      overdue: seen.overdue.flatMap(({ repository, run }) => copyOf(store.row(repository, run))),
      overdueCut: seen.overdueCut,
      heads: (seen.headsCut ? heads.slice(0, page) : heads).flatMap(copyOf),
      headsCut: seen.headsCut,
    }
    const section = new RecordedSection(loaded, { budget: seen.left, by, clockLagMs: seen.clockLagMs })
    const watched = section.guard.watchedUntil > section.now
    const removing = this.#isRemoving(domain)
    const decision = this.#decide(section, commands)
    const changes = section.changes()
    if (!store.commit(batch, { facts: loaded, version }, changes))
      throw new Disagreement(ruleNamed('contract'), `The model cannot commit its decision for ${domain}.`)
    // A store may have left them behind; then nobody may find them again.
    if (removing && !this.#isRemoving(domain))
      for (const { repository, run, phase } of rows)
        if (phase === 'record' && !changes.runs.some(({ row }) => row.run === run))
          store.runs.get(repository)?.delete(run)
    return { decision, events: changes.events, watched }
  }

  /** Drops a record whose time is over: the driver has forgotten it. */
  forget(repository: RepositoryKey, run: RunKey, now: number): void {
    const row = this.store.row(repository, run)
    if (row?.phase === 'record' && (row.dueAt ?? Number.POSITIVE_INFINITY) <= now)
      this.store.runs.get(repository)?.delete(run)
  }

  /** `askedAt`: when it was asked for, by this process's monotonic clock. */
  openHolder(id: HolderId, ttlMs: number, now: number, askedAt: number): void {
    this.#terms.set(id, askedAt + ttlMs)
    const expiresAt = now + ttlMs + this.#clockLagMs
    this.store.holders.set(id, { holder: id, ttlMs, expiresAt, dead: false, epoch: 0 })
  }

  /** What the driver's heartbeat at `now` led to: it must have found the holder alive. */
  beaten(id: HolderId, now: number, askedAt: number): void {
    const holder = this.store.holders.get(id)
    if (holder === undefined || holder.dead || holder.expiresAt + this.#clockLagMs <= now)
      throw new Disagreement(
        ruleNamed('8'),
        `A heartbeat revived ${id}, which was ${holder?.dead === true ? 'dead' : `overdue since ${holder?.expiresAt}`} at ${now}.`,
      )
    holder.expiresAt = Math.max(holder.expiresAt, now + holder.ttlMs + this.#clockLagMs)
    this.#terms.set(id, askedAt + holder.ttlMs)
  }

  /** The driver said by `now` that the holder is lost: for ever, and not before its time. */
  lost(id: HolderId, now: number): void {
    this.tell(now, 'a read')
    const holder = this.store.holders.get(id)
    if (holder === undefined) return
    if (!holder.dead && this.isTooEarly(id, now))
      throw new Disagreement(
        ruleNamed('8'),
        `The heartbeat of ${id} says at ${now} that it is lost, although it lives until ${holder.expiresAt}.`,
      )
    holder.dead = true
  }

  /**
   * Whether a holder must be alive still: by store time, and by real time as well. A store with leases ends holders by the latter, and its
   * store time stands still while everybody who could raise it does.
   */
  isTooEarly(id: HolderId, now: number): boolean {
    const { expiresAt } = this.store.holders.get(id) ?? { expiresAt: now }
    return now < expiresAt - this.#clockLagMs && performance.now() < (this.#terms.get(id) ?? 0)
  }

  /** Whether a holder is as good as dead by then. */
  isGone(id: HolderId | undefined, now = this.#now): boolean {
    return id === undefined || !isAlive(this.store.holders.get(id), now)
  }

  /** Domains that somebody must decide although nobody asks, the rows of the dead included. */
  needy(now: number): string[] {
    return [...this.store.domains.keys()].filter((domain) => {
      const row = this.store.repositories.get(domain as RepositoryKey)
      return (
        this.store.guardOf(domain).backlog ||
        row?.status === 'removing' ||
        (row?.status === 'removed' && (row.dueAt ?? 0) <= now) ||
        [...this.store.rowsOf(domain as RepositoryKey)].some((run) => this.store.isOverdue(run, now))
      )
    })
  }

  #check(domain: string, by: HolderId | undefined, seen: Seen): void {
    const { store } = this
    this.tell(seen.now, `deciding for ${domain}`)
    const committedAt = store.domains.get(domain)?.committedAt ?? Number.NEGATIVE_INFINITY
    // Before a repository has a row, nobody remembers that somebody watches it.
    if (store.repositories.has(domain as RepositoryKey) && seen.now < committedAt)
      throw new Disagreement(
        ruleNamed('8'),
        `Within ${domain} store time went back from ${committedAt} to ${seen.now}.`,
      )
    if (seen.tokenFloor < store.tokenFloor)
      throw new Disagreement(
        ruleNamed('2'),
        `The token floor is ${seen.tokenFloor}, below the ${store.tokenFloor} that a removed repository left behind.`,
      )
    if (!Number.isSafeInteger(seen.tokenFloor))
      throw new Disagreement(ruleNamed('2'), `The token floor ${seen.tokenFloor} is no safe integer.`)
    if (seen.by !== by)
      throw new Disagreement(ruleNamed('contract'), `The section is by ${seen.by}, the batch by ${by}.`)
    if (seen.clockLagMs !== this.#clockLagMs)
      throw new Disagreement(
        ruleNamed('contract'),
        `The section says a clock lag of ${seen.clockLagMs} ms, the manifest ${this.#clockLagMs} ms.`,
      )
    // A watch that is over may be forgotten.
    const current = ({ watchedUntil, backlog }: Guard): Guard => ({
      watchedUntil: watchedUntil > seen.now ? watchedUntil : 0,
      backlog,
    })
    const [guard, shown] = [current(store.guardOf(domain)), current(seen.guard)]
    for (const field of ['watchedUntil', 'backlog'] as const)
      if (guard[field] !== shown[field])
        throw new Disagreement(
          ruleNamed('7'),
          `The guard of ${domain} was committed with ${field} ${guard[field]}, and loaded with ${shown[field]}.`,
        )
  }

  /** A holder as the driver showed it: never dead too early, never alive again. Where the store ends holders, it decides when. */
  #meet(
    id: HolderId,
    shown: { readonly expiresAt: number; readonly dead: boolean } | undefined,
    now: number,
  ): void {
    const known = this.store.holders.get(id)
    const lives = shown !== undefined && !shown.dead && shown.expiresAt > now
    if (known === undefined) {
      if (lives) throw new Disagreement(ruleNamed('8'), `${id} was never opened, or is forgotten, and lives.`)
      return
    }
    if (!lives) {
      if (!known.dead && this.isTooEarly(id, now))
        throw new Disagreement(
          ruleNamed('8'),
          `${id} is taken for dead at ${now}, although it lives until ${known.expiresAt}.`,
        )
      known.dead ||= shown?.dead === true
      known.expiresAt = Math.min(known.expiresAt, now)
      return
    }
    if (known.dead) throw new Disagreement(ruleNamed('8'), `${id} is dead, and lives again at ${now}.`)
    if (shown.expiresAt !== Number.POSITIVE_INFINITY && now > known.expiresAt + this.#clockLagMs)
      throw new Disagreement(
        ruleNamed('8'),
        `${id} lives at ${now}, although its last heartbeat reaches to ${known.expiresAt} only.`,
      )
    // Within what is allowed, it lives as long as the driver says; where the store ends holders itself, that is for now.
    const until = shown.expiresAt === Number.POSITIVE_INFINITY ? now + 1 : shown.expiresAt
    known.expiresAt = Math.max(known.expiresAt, until)
  }

  #isRemoving(domain: string): boolean {
    return this.store.repositories.get(domain as RepositoryKey)?.status === 'removing'
  }

  /** What is due must be shown, unless the driver says that there is more. */
  #checkWindow(domain: RepositoryKey, seen: Seen): void {
    if (!seen.overdueEnded || seen.overdueCut) return
    const { store } = this
    const removing = this.#isRemoving(domain)
    for (const row of store.rowsOf(domain)) {
      if (row.phase === 'record' || seen.overdue.some(({ run }) => run === row.run)) continue
      if (removing || (row.dueAt !== undefined && row.dueAt <= seen.now))
        throw new Disagreement(
          ruleNamed(removing ? 'removal' : '8'),
          `The section of ${domain} showed no overdue row ${row.run} (${row.phase}, due at ${row.dueAt}) at ${seen.now}.`,
        )
    }
  }
}

function copyOf(row: RunRow | undefined): RunRow[] {
  return row === undefined ? [] : [{ ...row }]
}
