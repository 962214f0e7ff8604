import type { Guard, RepositoryRow, RunRow } from '@slotkeeper/core/driver'
import { BinaryHeap } from './binary-heap.ts'
import type { EntryQueue } from './entry-queue.ts'
import { RunTable } from './run-table.ts'

/** A run's row, and where the store's own structures keep it. */
export interface Kept extends RunRow {
  heapIndex: number
  /**
   * Of an entry its place in the queue's line. Of a record its number in the ring of records; an older number is of an earlier end of the
   * same run. Else -1.
   */
  at: number
  hash: number
  below: this | undefined
  /** Core's own. */
  caller?: object | undefined
}

/** A row that becomes due. One whose row has another `dueAt` by then is stale and passed over. */
interface Due {
  readonly at: number
  readonly row: Kept
  heapIndex: number
}

/** The guard of a domain that nobody watches. */
const IDLE: Readonly<Guard> = Object.freeze({ watchedUntil: 0, backlog: false })

/** One domain: today one repository with its runs. */
export class Shelf {
  readonly domain: string
  repository: RepositoryRow | undefined = undefined
  guard: Readonly<Guard> = IDLE
  /** Entries that are not parked. What few domains have is made when the first of it comes, here and below. */
  queue: EntryQueue<Kept> | undefined = undefined
  due: BinaryHeap<Due> | undefined = undefined
  /** Rows of holders that died, not settled yet. */
  abandoned: Kept[] | undefined = undefined
  readonly runs = new RunTable<Kept>()
  sweptUntil = 0

  constructor(domain: string) {
    this.domain = domain
  }

  /** Whether a row may be due. */
  isDue(now: number): boolean {
    return this.due !== undefined && (this.due.peek()?.at ?? Number.POSITIVE_INFINITY) <= now
  }

  /** Whether a command is all that there is to do here, and nobody watches. */
  isQuiet(now: number): boolean {
    const { guard } = this
    if (guard !== IDLE && (guard.backlog || guard.watchedUntil > now)) return false
    return this.abandoned === undefined && (this.due === undefined || !this.isDue(now))
  }
}

/** The rows by when they become due, for a shelf that had none. */
export function newDue(): BinaryHeap<Due> {
  return new BinaryHeap((a, b) => a.at < b.at)
}
