import { readNow, type Store } from './store.ts'
import { COUNTED_MS } from './store-clock.ts'

/** How often the clock's key is raised and read where nothing else does it. */
const EVERY_MS = COUNTED_MS / 2

/**
 * Keeps store time going, as fast as time does, for as long as a holder of this process may live: by a look at the clock whenever nothing
 * else was asked for a while.
 */
export class TimeKeeper {
  readonly #store: Store
  #timer: NodeJS.Timeout | undefined
  /** Until when some holder lives, by the monotonic clock. */
  #until = 0

  constructor(store: Store) {
    this.#store = store
  }

  /** A holder lives for so long from now, unless it beats again. */
  keep(ms: number): void {
    this.#until = Math.max(this.#until, this.#store.clock.monotonic() + ms)
    if (this.#timer === undefined) this.#arm(EVERY_MS)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#look(), ms)
    this.#timer.unref()
  }

  async #look(): Promise<void> {
    const { time } = this.#store
    try {
      if (time.silentMs >= EVERY_MS) await readNow(this.#store, [], { signal: undefined })
    } catch {
      // Whoever needs the store is told by what it asks; until it answers, time stands still here.
    }
    const { silentMs } = time
    if (this.#store.clock.monotonic() >= this.#until) this.#timer = undefined
    else if (this.#timer !== undefined) this.#arm(silentMs >= EVERY_MS ? EVERY_MS : EVERY_MS - silentMs)
  }
}
