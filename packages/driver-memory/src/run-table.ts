import type { RunKey } from '@slotkeeper/core/driver'

/** A row that a `RunTable` keeps. */
export interface Tabled {
  readonly run: RunKey
  /** Of its run, made by the table. */
  hash: number
  /** The next one in the same bucket. */
  below: this | undefined
}

const FEWEST_BUCKETS = 4

/** Other processes make other hashes, so that nobody can choose names of runs that share a bucket. */
const SEED = (Math.random() * 2 ** 32) | 0

/**
 * The rows of a domain by run. A `Map` makes itself anew whenever half of it was deleted, and what it was before keeps the rows of that
 * time alive in the young generation of the garbage collector: where every run is new that was a third of the time. Here rows hang on each
 * other, and coming and going leaves nothing behind.
 */
export class RunTable<T extends Tabled> {
  #buckets: (T | undefined)[] = noBuckets(FEWEST_BUCKETS)
  #size = 0
  /** No bucket before this one has a row. */
  #from = 0

  get size(): number {
    return this.#size
  }

  get(run: RunKey): T | undefined {
    const buckets = this.#buckets
    const hash = hashOf(run)
    let row = buckets[hash & (buckets.length - 1)]
    while (row !== undefined && (row.hash !== hash || row.run !== run)) row = row.below
    return row
  }

  /** Puts in a row of a run that has none here. */
  add(row: T): void {
    if (this.#size >= this.#buckets.length) this.#grow()
    this.#size++
    row.hash = hashOf(row.run)
    this.#hang(row)
  }

  /** Takes out a row that is here; any other one stays where it is. */
  delete(row: T): void {
    const buckets = this.#buckets
    const at = row.hash & (buckets.length - 1)
    let above: T | undefined
    let here = buckets[at]
    while (here !== row) {
      if (here === undefined) return
      above = here
      here = here.below
    }
    if (above === undefined) buckets[at] = row.below
    else above.below = row.below
    row.below = undefined
    this.#size--
  }

  /** Any of them; `undefined` when there is none. */
  any(): T | undefined {
    if (this.#size === 0) return undefined
    while (this.#buckets[this.#from] === undefined) this.#from++
    return this.#buckets[this.#from]
  }

  /** All of them, in no order. None may come or go meanwhile. */
  *values(): IterableIterator<T> {
    for (const first of this.#buckets) for (let row = first; row !== undefined; row = row.below) yield row
  }

  #hang(row: T): void {
    const at = row.hash & (this.#buckets.length - 1)
    if (at < this.#from) this.#from = at
    row.below = this.#buckets[at]
    this.#buckets[at] = row
  }

  #grow(): void {
    const rows = [...this.values()]
    this.#buckets = noBuckets(this.#buckets.length * 2)
    this.#from = this.#buckets.length
    for (const row of rows) this.#hang(row)
  }
}

function noBuckets<T>(count: number): (T | undefined)[] {
  return new Array<T | undefined>(count).fill(undefined)
}

function hashOf(run: string): number {
  let hash = SEED
  for (let at = 0; at < run.length; at++) hash = Math.imul(hash ^ run.charCodeAt(at), 0x01000193)
  return hash ^ (hash >>> 15)
}
