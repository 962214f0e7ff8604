import { queueOrder } from '@slotkeeper/core/driver'
import { BinaryHeap, type Heaped } from './binary-heap.ts'

/** Where an entry is in the order of its queue. */
interface Order {
  readonly priority: number
  readonly sequence: number
}

/** An entry that knows where in the queue it is. */
export interface Queued extends Heaped, Order {
  /** Its position in the line while it is in it; -1 while it is in the heap. */
  at: number
}

/** How many empty places a line may have besides as many as there are entries in it. */
const SPARE_PLACES = 1024

function goesBefore(a: Order, b: Order): boolean {
  return queueOrder(a, b) < 0
}

/**
 * The entries of a queue in their total order. Most come in the order in which they go: those stand in line, and joining, leaving and
 * being next cost the same however long it is. The others, of a higher priority or back at their old place, are in a heap beside it.
 */
export class EntryQueue<T extends Queued> {
  #line: (T | undefined)[] = []
  /** Nobody stands in the line before this position. */
  #front = 0
  #inLine = 0
  /** Where the last one that joined the line was in the order, whether or not it left: nobody in the queue goes after it. */
  readonly #last = { priority: 0, sequence: 0 }
  readonly #others = new BinaryHeap<T>(goesBefore)

  get size(): number {
    return this.#inLine + this.#others.size
  }

  /** The entry that goes next. */
  peek(): T | undefined {
    const first = this.#inLine === 0 ? undefined : this.#line[this.#front]
    if (this.#others.size === 0) return first
    const other = this.#others.peek() as T
    return first === undefined || goesBefore(other, first) ? other : first
  }

  push(entry: T): void {
    if (this.size === 0) this.#line.length = this.#front = 0
    else if (!goesBefore(this.#last, entry)) return this.#others.push(entry)
    entry.at = this.#line.length
    this.#line.push(entry)
    this.#inLine++
    this.#last.priority = entry.priority
    this.#last.sequence = entry.sequence
  }

  /** Takes out an entry of this queue. */
  remove(entry: T): void {
    const { at } = entry
    if (at < 0) return this.#others.remove(entry)
    entry.at = -1
    this.#line[at] = undefined
    this.#inLine--
    if (this.#line.length > 2 * this.#inLine + SPARE_PLACES) this.#closeUp()
    else while (this.#front < this.#line.length && this.#line[this.#front] === undefined) this.#front++
  }

  /** How many entries go before this one, counted no further than `cap`. */
  countBefore(entry: T, cap: number): number {
    if (entry.at >= 0 && !goesBefore(entry, this.#last)) return Math.min(this.size - 1, cap)
    let count = this.#others.countBefore(entry, cap)
    for (let at = this.#front; at < this.#line.length && count < cap; at++) {
      const other = this.#line[at]
      if (other === undefined) continue
      if (!goesBefore(other, entry)) break
      count++
    }
    return count
  }

  /** Fills the empty places of those who left. */
  #closeUp(): void {
    this.#line = this.#line.filter((entry) => entry !== undefined)
    this.#front = 0
    for (const [at, entry] of this.#line.entries()) (entry as T).at = at
  }
}
