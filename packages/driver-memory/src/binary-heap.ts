/** An item that knows where in its heap it is, so that it can be taken out from the middle; -1 = in none. */
export interface Heaped {
  heapIndex: number
}

/** A binary heap with removal of any item in O(log n). `before` is a strict total order. */
export class BinaryHeap<T extends Heaped> {
  readonly #items: T[] = []
  readonly #before: (a: T, b: T) => boolean

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before
  }

  get size(): number {
    return this.#items.length
  }

  /** The first item. */
  peek(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    this.#items.push(item)
    this.#up(item, this.#items.length - 1)
  }

  /** Takes out an item of this heap. */
  remove(item: T): void {
    const at = item.heapIndex
    const last = this.#items.pop() as T
    item.heapIndex = -1
    if (last === item) return
    this.#down(last, at)
    this.#up(last, last.heapIndex)
  }

  /** How many items go before `item`, counted no further than `cap`. Visits only those, since they lie above all others. */
  countBefore(item: T, cap: number): number {
    let count = 0
    const open = [0]
    while (open.length > 0 && count < cap) {
      const at = open.pop() as number
      const other = this.#items[at]
      if (other === undefined || other === item || !this.#before(other, item)) continue
      count++
      open.push(2 * at + 1, 2 * at + 2)
    }
    return count
  }

  /** All items, in no order. */
  items(): readonly T[] {
    return this.#items
  }

  #up(item: T, from: number): void {
    const items = this.#items
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = items[parent] as T
      if (!this.#before(item, above)) break
      items[at] = above
      above.heapIndex = at
      at = parent
    }
    items[at] = item
    item.heapIndex = at
  }

  #down(item: T, from: number): void {
    const items = this.#items
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && this.#before(items[child + 1] as T, items[child] as T)) child++
      const below = items[child] as T
      if (!this.#before(below, item)) break
      items[at] = below
      below.heapIndex = at
      at = child
    }
    items[at] = item
    item.heapIndex = at
  }
}
