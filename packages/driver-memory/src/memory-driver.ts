import {
  type Clock,
  type Decide,
  type DomainBatch,
  type DomainInHand,
  type Driver,
  type Health,
  type HolderId,
  HolderLostError,
  type HolderTerm,
  InternalError,
  isAlive,
  isSlotkeeperError,
  ManagerClosedError,
  type Manifest,
  type Query,
  type Section,
  type Snapshot,
  type StoreInHand,
  type Sweep,
  systemClock,
  type WatchEvent,
  Watchers,
  type WatchOptions,
} from '@slotkeeper/core/driver'
import { readMemory } from './memory-read.ts'
import { type MemoryStore, memoryStore } from './memory-store.ts'
import type { Shelf } from './shelf.ts'

/** Options of `memoryDriver`. */
export interface MemoryDriverOptions {
  /** Shared by all drivers that are given it. Default: one of its own. */
  readonly store?: MemoryStore
  /** Default: the machine's clock. */
  readonly clock?: Clock
}

const MANIFEST: Manifest = Object.freeze({
  scope: 'process',
  synchronous: true,
  wakes: 'push',
  minimumTtlMs: 1,
  clockLagMs: 0,
  budget: 10_000,
  backstopMs: 5_000,
})

/** How often the wall clock is read. */
const WALL_READ_MS = 1_000

/** How long a sweeper keeps a domain to itself. */
const SWEEP_CLAIM_MS = 1_000

/**
 * Slots in this process's memory: the quickest driver, for one process and for unit tests. Nothing is shared with other processes and
 * nothing outlives this one. Synchronous; no timers.
 * @example
 * const manager = new Manager({ driver: memoryDriver() })
 */
export function memoryDriver(options: MemoryDriverOptions = {}): Driver {
  return new MemoryDriver(options)
}

class MemoryDriver implements Driver, StoreInHand {
  readonly name = 'memory'
  readonly manifest = MANIFEST
  readonly inHand: StoreInHand = this
  readonly #store: MemoryStore
  readonly #clock: Clock
  readonly #watchers: Watchers = new Watchers({
    onFirst: () => {
      this.#store.watchers.add(this.#watchers)
      this.#watchers.begin()
    },
    onLast: () => this.#store.watchers.delete(this.#watchers),
  })
  #wallReadAt = Number.NEGATIVE_INFINITY
  #wallAhead = 0
  #closed = false

  constructor(options: MemoryDriverOptions) {
    this.#store = options.store ?? memoryStore()
    this.#clock = options.clock ?? systemClock
  }

  open(): void {
    this.#checkOpen()
  }

  transact(batch: readonly DomainBatch[], decide: Decide): void {
    this.#checkOpen()
    for (let at = 0; at < batch.length; at++) this.#transact(batch[at] as DomainBatch, decide)
  }

  #transact(batch: DomainBatch, decide: Decide): void {
    const store = this.#store
    try {
      const { section } = store
      const now = this.#clock.monotonic()
      store.collectOverdue(now)
      section.begin(store.shelf(batch.domain), now, this.#wall(now), MANIFEST.budget, batch.by)
      batch.decision = decide(section, batch.commands)
      const { events } = section
      batch.events = events
      if (events.length > 0) store.tell(this.#watchers, events)
    } catch (cause) {
      batch.error = isSlotkeeperError(cause)
        ? cause
        : new InternalError(`Deciding for ${batch.domain} failed.`, cause)
    }
  }

  domain(name: string): Shelf {
    return this.#store.shelf(name)
  }

  section(domain: DomainInHand, by: HolderId | undefined): Section | undefined {
    if (this.#closed) this.#checkOpen()
    const store = this.#store
    const shelf = domain as Shelf
    const now = this.#clock.monotonic()
    if (now >= store.nextExpiry) store.collectOverdue(now)
    if (!shelf.isQuiet(now)) return undefined
    const { section } = store
    section.begin(shelf, now, this.#wall(now), MANIFEST.budget, by)
    return section
  }

  read(query: Query): Snapshot {
    this.#checkOpen()
    return readMemory(this.#store, query, this.#clock.monotonic(), this.#clock.wall())
  }

  openHolder(holder: HolderId, ttlMs: number): HolderTerm {
    this.#checkOpen()
    const now = this.#clock.monotonic()
    this.#store.openHolder(holder, ttlMs, now)
    return { now, ttlMs, epoch: 0, sweep: true }
  }

  heartbeat(holder: HolderId): HolderTerm {
    this.#checkOpen()
    const now = this.#clock.monotonic()
    const row = this.#store.holders.get(holder)
    if (row === undefined || !isAlive(row, now)) throw new HolderLostError(holder)
    row.expiresAt = now + row.ttlMs
    return { now, ttlMs: row.ttlMs, epoch: row.epoch, sweep: true }
  }

  closeHolder(holder: HolderId): void {
    this.#checkOpen()
    const row = this.#store.holders.get(holder)
    if (row !== undefined && !row.dead) this.#store.bury(row)
  }

  sweep(budget: number): Sweep {
    this.#checkOpen()
    const now = this.#clock.monotonic()
    this.#store.collectOverdue(now)
    this.#store.forgetRecords(now, budget)
    this.#store.forgetHolders()
    const domains: string[] = []
    for (const shelf of this.#store.shelves.values()) {
      if (domains.length >= budget) return { domains, more: true }
      if (shelf.sweptUntil <= now && this.#store.needsDecision(shelf, now)) {
        shelf.sweptUntil = now + SWEEP_CLAIM_MS
        domains.push(shelf.domain)
      } else this.#forget(shelf)
    }
    return { domains, more: false }
  }

  watch(options: WatchOptions): AsyncIterable<WatchEvent> {
    this.#checkOpen()
    return this.#watchers.add(options)
  }

  health(): Health {
    this.#checkOpen()
    return { ok: true, detail: `${this.#store.shelves.size} repositories in this process's memory` }
  }

  close(): void {
    this.#closed = true
    this.#watchers.close()
  }

  /** Wall time, by the monotonic clock from when both were last read: one clock less to read for every call. */
  #wall(now: number): number {
    if (now >= this.#wallReadAt + WALL_READ_MS) {
      this.#wallReadAt = now
      this.#wallAhead = this.#clock.wall() - now
    }
    return Math.floor(now + this.#wallAhead)
  }

  /** Forgets an empty shelf. */
  #forget(shelf: Shelf): void {
    if (shelf.repository === undefined && shelf.runs.size === 0 && shelf.guard.watchedUntil === 0)
      this.#store.shelves.delete(shelf.domain)
  }

  #checkOpen(): void {
    if (this.#closed) throw new ManagerClosedError('The memory driver is closed.')
  }
}
