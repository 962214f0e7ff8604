import type { RepositoryKey, RunKey } from './keys.ts'

/** Something that this Manager has in hand for a run: a slot, or a caller who waits. */
export interface Indexed {
  readonly repository: RepositoryKey
  readonly run: RunKey
  /** The ticket that it was granted to, or waits under. */
  readonly ticket: string
  /** Its place in the index; -1 = in none. */
  indexedAt: number
}

const NONE: readonly never[] = Object.freeze([])

/**
 * What this Manager has in hand, by run. Adding and removing cost next to nothing, for every call does both; the map by run is made when
 * somebody first looks a run up, and dropped when nothing is left.
 */
export class RunIndex<T extends Indexed> {
  readonly #items: T[] = []
  /** Where the next some of them begin. */
  #turn = 0
  /** One item, or the several that name the same run. */
  #byRun: Map<RunKey, T | T[]> | undefined

  get size(): number {
    return this.#items.length
  }

  /** All of them by now, in no order; what changes meanwhile does not change the answer. */
  all(): readonly T[] {
    return this.#items.slice()
  }

  /** So many of them, others each time: whoever stays has a turn now and then. */
  some(count: number): readonly T[] {
    const { length } = this.#items
    if (length <= count) return this.all()
    const from = this.#turn < length ? this.#turn : 0
    this.#turn = from + count
    return this.#items.slice(from, from + count)
  }

  has(item: T): boolean {
    return item.indexedAt >= 0 && this.#items[item.indexedAt] === item
  }

  add(item: T): void {
    if (this.has(item)) return
    item.indexedAt = this.#items.length
    this.#items.push(item)
    if (this.#byRun !== undefined) enter(this.#byRun, item)
  }

  /** Once it is out, doing so again does nothing. */
  remove(item: T): void {
    if (!this.has(item)) return
    const last = this.#items.pop() as T
    if (last !== item) {
      last.indexedAt = item.indexedAt
      this.#items[last.indexedAt] = last
    }
    item.indexedAt = -1
    if (this.#items.length === 0) this.#byRun = undefined
    else if (this.#byRun !== undefined) leave(this.#byRun, item)
  }

  /** Those of one run. */
  of(repository: RepositoryKey, run: RunKey): readonly T[] {
    const found = this.#find(run)
    if (found === undefined) return NONE
    return (Array.isArray(found) ? found : [found]).filter((item) => item.repository === repository)
  }

  /** The one of a ticket. */
  ofTicket(repository: RepositoryKey, run: RunKey, ticket: string): T | undefined {
    const found = this.#find(run)
    if (found === undefined) return undefined
    if (Array.isArray(found))
      return found.find((item) => item.ticket === ticket && item.repository === repository)
    return found.ticket === ticket && found.repository === repository ? found : undefined
  }

  #find(run: RunKey): T | T[] | undefined {
    if (this.#items.length === 0) return undefined
    if (this.#byRun === undefined) {
      this.#byRun = new Map()
      for (const item of this.#items) enter(this.#byRun, item)
    }
    return this.#byRun.get(run)
  }
}

function enter<T extends Indexed>(byRun: Map<RunKey, T | T[]>, item: T): void {
  const known = byRun.get(item.run)
  if (known === undefined) byRun.set(item.run, item)
  else if (Array.isArray(known)) known.push(item)
  else byRun.set(item.run, [known, item])
}

function leave<T extends Indexed>(byRun: Map<RunKey, T | T[]>, item: T): void {
  const known = byRun.get(item.run)
  if (!Array.isArray(known) || known.length === 1) byRun.delete(item.run)
  else known.splice(known.indexOf(item), 1)
}
