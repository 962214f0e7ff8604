import type { Clock } from '@slotkeeper/core/driver'
import type { IRequestOp } from 'etcd3'
import { type KeySpace, timeKey } from './keys.ts'
import { get, isBelow, nested, put } from './operations.ts'

/** How far the clock's key may fall behind before whoever reads it raises it, in ms. */
export const STEP_MS = 50

/**
 * Store time. etcd has no clock that clients can read, so there is a key that everybody raises: store time is what it says. Each process
 * counts on from it by a monotonic clock, from the moment at which a value arrived, so never faster than real time; whoever loads something
 * raises the key in the same transaction if it has fallen behind, and reads it. So all processes have one clock, which goes in steps. While no
 * process is there, it stands still.
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

  /** What stands before the operations of a transaction: the key is raised where it has fallen behind, and read. */
  operations(): readonly IRequestOp[] {
    const read = this.read()
    const now = this.counted()
    if (now < this.#seen + STEP_MS) return [read]
    const text = timeKey(now)
    return [nested({ compare: [isBelow(this.#key, text)], success: [put(this.#key, text)] }), read]
  }

  /** The clock without raising it. */
  read(): IRequestOp {
    return get(this.#key)
  }

  /** Store time by now, or a little more than the key says. */
  counted(): number {
    return Math.max(this.#seen, Math.floor(this.#ahead + this.#clock.monotonic()))
  }

  /** Notes what the transaction read that has just been answered. */
  tell(value: number): number {
    this.#seen = Math.max(this.#seen, value)
    this.#ahead = Math.max(this.#ahead, value - this.#clock.monotonic())
    return value
  }
}
