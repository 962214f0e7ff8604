import {
  type HolderId,
  isAlive,
  isSlot,
  type RepositoryKey,
  type StoreEvent,
  type Watchers,
} from '@slotkeeper/core/driver'
import { MemorySection } from './memory-section.ts'
import { type Kept, Shelf } from './shelf.ts'

interface Holder {
  readonly holder: HolderId
  readonly ttlMs: number
  expiresAt: number
  dead: boolean
  epoch: number
  /** Its rows were put on their shelves' lists of abandoned ones. */
  collected: boolean
}

/** The slots of one process. Drivers that are given the same store share them; it lives as long as somebody refers to it. */
export class MemoryStore {
  /** @internal */
  readonly shelves = new Map<string, Shelf>()
  /** @internal */
  readonly holders = new Map<HolderId, Holder>()
  /** @internal */
  readonly watchers = new Set<Watchers>()
  /** One is enough, for one decision ends before the next begins. @internal */
  readonly section = new MemorySection(this)
  /** Tokens of removed repositories are never granted again. @internal */
  tokenFloor = 0
  readonly #maxRecords: number
  /** The last ended runs, in a ring, and beside each its shelf. */
  readonly #records: (Kept | undefined)[] = []
  readonly #recordShelves: (Shelf | undefined)[] = []
  #ended = 0
  /** Before this time no holder is overdue that was not looked at. @internal */
  nextExpiry = Number.POSITIVE_INFINITY

  /** @param maxRecords how many ended runs are remembered; older ones are forgotten first @internal */
  constructor(maxRecords: number) {
    this.#maxRecords = maxRecords
  }

  /** @internal */
  shelf(domain: string): Shelf {
    let shelf = this.shelves.get(domain)
    if (shelf === undefined) {
      shelf = new Shelf(domain)
      this.shelves.set(domain, shelf)
    }
    return shelf
  }

  /** @internal */
  shelfOf(repository: RepositoryKey): Shelf | undefined {
    return this.shelves.get(repository)
  }

  /** Remembers an ended run of a shelf, and forgets the oldest when there are too many. @internal */
  remember(row: Kept, shelf: Shelf): void {
    row.at = ++this.#ended
    const at = this.#ended % this.#maxRecords
    if (this.#isCurrent(at, this.#ended - this.#maxRecords)) this.#forget(at)
    this.#records[at] = row
    this.#recordShelves[at] = shelf
  }

  /** Whether the record at a place of the ring is still the one that was put there with this number. */
  #isCurrent(at: number, number: number): boolean {
    const row = this.#records[at]
    return row !== undefined && row.phase === 'record' && row.at === number
  }

  #forget(at: number): void {
    const row = this.#records[at]
    if (row !== undefined) this.#recordShelves[at]?.runs.delete(row)
  }

  /** Forgets records past their time, oldest first. @internal */
  forgetRecords(now: number, budget: number): void {
    for (
      let number = Math.max(1, this.#ended - this.#maxRecords + 1), left = budget;
      number <= this.#ended && left > 0;
      number++
    ) {
      const at = number % this.#maxRecords
      const row = this.#records[at]
      if (row === undefined) continue
      const current = this.#isCurrent(at, number)
      if (current && (row.dueAt ?? 0) > now) return
      if (current) this.#forget(at)
      this.#records[at] = this.#recordShelves[at] = undefined
      left--
    }
  }

  /** @internal */
  openHolder(holder: HolderId, ttlMs: number, now: number): void {
    const expiresAt = now + ttlMs
    this.holders.set(holder, { holder, ttlMs, expiresAt, dead: false, epoch: 0, collected: false })
    this.nextExpiry = Math.min(this.nextExpiry, expiresAt)
  }

  /** @internal */
  bury(holder: Holder): void {
    holder.dead = true
    this.#collect(holder)
  }

  /** Puts the rows of holders that are overdue by now on their shelves' lists. Cheap while none is. @internal */
  collectOverdue(now: number): void {
    if (now < this.nextExpiry) return
    let next = Number.POSITIVE_INFINITY
    for (const holder of this.holders.values()) {
      if (isAlive(holder, now)) next = Math.min(next, holder.expiresAt)
      else this.#collect(holder)
    }
    this.nextExpiry = next
  }

  /** The death of a holder is rare, so its rows are looked for then and not tracked all the time. */
  #collect(holder: Holder): void {
    if (holder.collected) return
    holder.collected = true
    for (const shelf of this.shelves.values())
      for (const row of shelf.runs.values())
        if (row.holder === holder.holder && (row.phase === 'waiting' || isSlot(row.phase))) {
          shelf.abandoned ??= []
          shelf.abandoned.push(row)
        }
  }

  /** Forgets dead holders once their rows are settled. @internal */
  forgetHolders(): void {
    const named = new Set<HolderId>()
    for (const shelf of this.shelves.values())
      for (const row of shelf.abandoned ?? []) if (row.holder !== undefined) named.add(row.holder)
    for (const holder of this.holders.values())
      if (holder.dead && holder.collected && !named.has(holder.holder)) this.holders.delete(holder.holder)
  }

  /** Whether a domain needs a decision although nobody asks. @internal */
  needsDecision(shelf: Shelf, now: number): boolean {
    const { repository } = shelf
    if (shelf.guard.backlog || shelf.abandoned !== undefined || shelf.isDue(now)) return true
    return repository?.status === 'removed' && (repository.dueAt ?? 0) <= now
  }

  /** Tells those who watch through other drivers. @internal */
  tell(from: Watchers, events: readonly StoreEvent[]): void {
    for (const watchers of this.watchers) if (watchers !== from) watchers.tell(events)
  }
}

/** Makes a store for several drivers of one process to share. */
export function memoryStore(options: { readonly maxRecords?: number } = {}): MemoryStore {
  return new MemoryStore(options.maxRecords ?? DEFAULT_MAX_RECORDS)
}

/** Ended runs remembered by default: keeping ten times as many made every new run cost half as much again, in garbage collected. */
const DEFAULT_MAX_RECORDS = 1_000
