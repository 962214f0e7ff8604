import type {
  Guard,
  HolderId,
  HolderRow,
  Phase,
  Place,
  RepositoryKey,
  RepositoryRow,
  RunKey,
  RunRow,
  Section,
  StoreEvent,
  StoreEventKind,
} from '@slotkeeper/core/driver'
import { EntryQueue } from './entry-queue.ts'
import type { MemoryStore } from './memory-store.ts'
import { type Kept, newDue, type Shelf } from './shelf.ts'

/** How far a place is counted. */
export const PLACE_CAP = 1000

const NO_EVENTS: readonly StoreEvent[] = Object.freeze([])

/**
 * The section of the memory store: its own maps, changed in place. One call of `decide` runs to its end without interruption, and every
 * check of `decide` comes before its changes, so nothing is ever half done.
 */
export class MemorySection implements Section {
  readonly overdueCut = false
  readonly headsCut = false
  readonly clockLagMs = 0
  now = 0
  /**
   * Begins as no number, so that the engine keeps it as a reference: then the rows of a decision share one number in memory instead of
   * having one each.
   */
  wall = undefined as unknown as number
  left = 0
  by: HolderId | undefined
  events: readonly StoreEvent[] = NO_EVENTS
  readonly #store: MemoryStore
  #shelf!: Shelf
  #lastHolder: HolderRow | undefined
  readonly #one: RepositoryRow[] = []

  constructor(store: MemoryStore) {
    this.#store = store
  }

  /** Prepares the section for one decision. */
  begin(shelf: Shelf, now: number, wall: number, budget: number, by: HolderId | undefined): void {
    this.#shelf = shelf
    this.now = now
    this.wall = wall
    this.left = budget
    this.by = by
    this.events = NO_EVENTS
  }

  get domain(): string {
    return this.#shelf.domain
  }

  get tokenFloor(): number {
    const micros = this.wall * 1000
    return Math.max(this.#store.tokenFloor, micros < LAST_CLOCK_TOKEN ? micros : 0)
  }

  get guard(): Readonly<Guard> {
    return this.#shelf.guard
  }

  get repositories(): readonly RepositoryRow[] {
    const { repository } = this.#shelf
    if (repository === undefined) this.#one.length = 0
    else this.#one[0] = repository
    return this.#one
  }

  repository(key: RepositoryKey): RepositoryRow | undefined {
    const shelf = this.#shelf
    return key === shelf.domain ? shelf.repository : undefined
  }

  run(_repository: RepositoryKey, run: RunKey): RunRow | undefined {
    return this.#shelf.runs.get(run)
  }

  /** Nearly all calls are about the holder of one Manager. One that was forgotten stays dead. */
  holder(holder: HolderId): HolderRow | undefined {
    if (this.#lastHolder?.holder !== holder) this.#lastHolder = this.#store.holders.get(holder)
    return this.#lastHolder
  }

  /** Cheap, so it may say `true` of rows that were settled in another way. */
  get overdueLeft(): boolean {
    const shelf = this.#shelf
    const { repository, runs, abandoned } = shelf
    return (
      (repository?.status === 'removing' && runs.size > 0) || abandoned !== undefined || shelf.isDue(this.now)
    )
  }

  overdue(): RunRow | undefined {
    const shelf = this.#shelf
    if (shelf.repository?.status === 'removing') return shelf.runs.any()
    while (shelf.abandoned !== undefined) {
      const row = shelf.abandoned.pop()
      if (row === undefined) shelf.abandoned = undefined
      else if (row.holder !== undefined && shelf.runs.get(row.run) === row) return row
    }
    const { due } = shelf
    if (due === undefined) return undefined
    for (;;) {
      const first = due.peek()
      if (first === undefined || first.at > this.now) return undefined
      due.remove(first)
      const { row } = first
      // One that was dropped with its repository stays here until it is due.
      if (row.dueAt === first.at && row.phase !== 'record' && shelf.runs.get(row.run) === row) return row
    }
  }

  head(_repository: RepositoryKey): RunRow | undefined {
    return this.#shelf.queue?.peek()
  }

  place(row: RunRow): Place {
    const before = this.#shelf.queue?.countBefore(row as Kept, PLACE_CAP) ?? 0
    return before < PLACE_CAP ? before + 1 : { atLeast: PLACE_CAP + 1 }
  }

  saved(changed: RunRow, was: Phase | undefined): void {
    const row = changed as Kept
    const shelf = this.#shelf
    this.left--
    if (was === undefined) {
      row.heapIndex = -1
      row.at = -1
      shelf.runs.add(row)
    } else if (was === 'record' && row.phase !== 'record') row.at = -1
    const eligible = row.phase === 'waiting' && row.dueAt === undefined
    if (eligible !== isQueued(row, was)) {
      if (eligible) {
        shelf.queue ??= new EntryQueue()
        shelf.queue.push(row)
      } else shelf.queue?.remove(row)
    }
    if (row.phase === 'record') {
      if (was !== 'record') this.#store.remember(row, shelf)
    } else if (row.dueAt !== undefined) {
      shelf.due ??= newDue()
      shelf.due.push({ at: row.dueAt, row, heapIndex: -1 })
    }
  }

  dropped(changed: RunRow, was: Phase): void {
    const row = changed as Kept
    this.left--
    if (isQueued(row, was)) this.#shelf.queue?.remove(row)
    this.#shelf.runs.delete(row)
    // Whoever has it in hand finds that it is no slot any more, and the ring of records that it is none of its own.
    row.phase = 'record'
    row.at = -1
  }

  savedRepository(row: RepositoryRow): void {
    this.#shelf.repository = row
  }

  droppedRepository(row: RepositoryRow): void {
    this.#store.tokenFloor = Math.max(this.#store.tokenFloor, row.lastToken)
    this.#shelf.repository = undefined
  }

  savedGuard(watchedUntil: number, backlog: boolean): void {
    this.#shelf.guard = { watchedUntil, backlog }
  }

  bury(holder: HolderId): void {
    const row = this.#store.holders.get(holder)
    if (row !== undefined && !row.dead) this.#store.bury(row)
  }

  bump(holder: HolderId): void {
    const row = this.#store.holders.get(holder)
    if (row !== undefined) row.epoch++
  }

  emit(
    kind: StoreEventKind,
    row: RunRow | RepositoryRow,
    loser?: HolderId | undefined,
    detail?: StoreEvent['detail'],
  ): void {
    const holder = loser ?? (row as Partial<RunRow>).holder
    // Nobody listens: then there is nothing to tell.
    if (
      (holder === undefined || holder === this.by || kind === 'enqueued') &&
      this.#shelf.guard.watchedUntil <= this.now
    )
      return
    const of =
      'run' in row
        ? { run: row.run, ticket: row.ticket, phase: row.phase, token: row.token, number: row.number, holder }
        : undefined
    const event: StoreEvent = { kind, repository: row.repository, ...of, at: this.wall, detail }
    if (this.events.length === 0) this.events = [event]
    else (this.events as StoreEvent[]).push(event)
  }
}

function isQueued(row: Kept, was: Phase | undefined): boolean {
  return was === 'waiting' && (row.at >= 0 || row.heapIndex >= 0)
}

/** A wall clock beyond this is wrong, and would use up the whole numbers that tokens are made of. */
const LAST_CLOCK_TOKEN = Number.MAX_SAFE_INTEGER - 2 ** 40
