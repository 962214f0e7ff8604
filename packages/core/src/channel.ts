/**
 * A queue between somebody who pushes and one who iterates. When the reader falls `limit` items behind, the items are replaced by one
 * `overflow` item, which tells it to look for itself.
 */
export class Channel<T> implements AsyncIterable<T>, AsyncIterator<T, undefined> {
  readonly #limit: number
  readonly #overflow: T
  readonly #onEnd: () => void
  #items: T[] = []
  #waiting: ((result: IteratorResult<T, undefined>) => void)[] = []
  #ended = false

  constructor(options: { limit: number; overflow: T; onEnd?: () => void }) {
    this.#limit = options.limit
    this.#overflow = options.overflow
    this.#onEnd = options.onEnd ?? (() => {})
  }

  /** Gives an item to the reader that waits, or keeps it for the next one. */
  push(item: T): void {
    if (this.#ended) return
    const reader = this.#waiting.shift()
    if (reader !== undefined) reader({ value: item, done: false })
    else if (this.#items.length < this.#limit) this.#items.push(item)
    else this.#items = [this.#overflow]
  }

  /** Ends the iteration: readers that wait get `done`, unread items are dropped. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#items = []
    for (const reader of this.#waiting) reader({ value: undefined, done: true })
    this.#waiting = []
    this.#onEnd()
  }

  /** The next item, as soon as there is one. */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#items.length > 0) return Promise.resolve({ value: this.#items.shift() as T, done: false })
    if (this.#ended) return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Ends it from the side of the reader. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.end()
    return Promise.resolve({ value: undefined, done: true })
  }

  /** Itself: it is read once. */
  [Symbol.asyncIterator](): this {
    return this
  }
}
