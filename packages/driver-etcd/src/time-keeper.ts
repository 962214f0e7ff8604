import type { HolderId } from '@slotkeeper/core/driver'
import { readNow, type Store } from './store.ts'
import { COUNTED_MS } from './store-clock.ts'

/** How often the clock's key is read where nothing else reads it. */
const EVERY_MS = COUNTED_MS / 2

/**
 * Keeps store time going, as fast as time does, while this process has a holder: by a look at the clock whenever nothing else was asked
 * for a while.
 */
export class TimeKeeper {
  readonly #store: Store
  /** Until when each of them lives, by the monotonic clock. */
  readonly #holders = new Map<HolderId, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(store: Store) {
    this.#store = store
  }

  /** A holder lives for so long from now, unless it beats again. */
  keep(holder: HolderId, ms: number): void {
    this.#holders.set(holder, this.#store.clock.monotonic() + ms)
    if (this.#timer === undefined) this.#arm(EVERY_MS)
  }

  /** A holder is closed; time goes on as long as there is another one. */
  leave(holder: HolderId): void {
    this.#holders.delete(holder)
    if (this.#holders.size === 0) this.stop()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#holders.clear()
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
    const now = this.#store.clock.monotonic()
    for (const [holder, until] of this.#holders) if (until <= now) this.#holders.delete(holder)
    if (this.#holders.size === 0) this.stop()
    else if (this.#timer !== undefined) this.#arm(silentMs >= EVERY_MS ? EVERY_MS : EVERY_MS - silentMs)
  }
}
