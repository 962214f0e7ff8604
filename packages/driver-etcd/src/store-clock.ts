import type { Clock } from '@slotkeeper/core/driver'
import type { IRequestOp } from 'etcd3'
import { type KeySpace, timeKey } from './keys.ts'
import { get, isBelow, nested, put } from './operations.ts'

/** How far store time may be ahead of what the clock's key says. */
export const CLOCK_LAG_MS = 200

/**
 * Store time. etcd has no clock that clients can read, so there is a key that everybody raises and from which everybody counts on, by a
 * monotonic clock and from the moment at which its value arrived: so never faster than real time. Nobody goes further than `CLOCK_LAG_MS`
 * beyond what the key said in the same transaction that loaded what is decided on, so processes differ by no more than that. While no
 * process is there, store time stands still.
 */
export class StoreClock {
  readonly #clock: Clock
  readonly #key: string
  /** Store time minus monotonic time, at the least. */
  #ahead = Number.NEGATIVE_INFINITY
  #seen = 0

  constructor(clock: Clock, keys: KeySpace) {
    this.#clock = clock
    this.#key = keys.clock
  }

  /** Two operations for the beginning of a transaction: the key is raised where it has fallen behind, and read. */
  operations(): readonly [IRequestOp, ...IRequestOp[]] {
    const read = get(this.#key)
    const now = this.#counted()
    if (now < this.#seen + CLOCK_LAG_MS / 2) return [read]
    const text = timeKey(now)
    return [nested({ compare: [isBelow(this.#key, text)], success: [put(this.#key, text)] }), read]
  }

  /** Store time, from the key's value as the transaction that has just been answered read it. */
  tell(value: number): number {
    this.#seen = Math.max(this.#seen, value)
    this.#ahead = Math.max(this.#ahead, value - this.#clock.monotonic())
    return Math.min(this.#counted(), value + CLOCK_LAG_MS)
  }

  #counted(): number {
    return this.#ahead === Number.NEGATIVE_INFINITY ? 0 : Math.floor(this.#ahead + this.#clock.monotonic())
  }
}
