import type { HistoryEntry } from './entries.ts'

/** An entry that is about to be written: the history adds the time. */
export type NewEntry = HistoryEntry extends infer E ? (E extends HistoryEntry ? Omit<E, 'at'> : never) : never

/** What was seen, written down while it happens and never changed. */
export class History {
  readonly #entries: HistoryEntry[] = []
  readonly #now: () => number
  #calls = 0

  /** @param now a clock that everybody who writes shares. Default: the order of writing, which is exact within one process. */
  constructor(now?: () => number) {
    this.#now = now ?? (() => this.#entries.length)
  }

  get entries(): readonly HistoryEntry[] {
    return this.#entries
  }

  /** The time that the next entry would get. */
  now(): number {
    return this.#now()
  }

  /** A new number, which pairs the entries of one call. */
  call(): number {
    return ++this.#calls
  }

  /** Notes what was just seen. */
  add(entry: NewEntry): void {
    this.#entries.push({ ...entry, at: this.#now() } as HistoryEntry)
  }
}
