import type { Clock } from '@slotkeeper/core/driver'
import type { ICompare, IRequestOp } from 'etcd3'
import { type KeySpace, timeKey } from './keys.ts'
import { get, isBelow, nested, put } from './operations.ts'

/** How far the clock's key may fall behind before whoever reads it raises it, in ms. */
export const STEP_MS = 50
/** So long after it was last read a process counts on; whoever has a holder reads it more often than that. */
export const COUNTED_MS = 1000

/**
 * Store time. etcd has no clock that clients can read, so there is a key that everybody raises: store time is what it says. Each process
 * counts on from it by a monotonic clock, from the moment at which a value arrived, so never faster than real time; whoever loads something
 * raises the key in the same transaction if it has fallen behind, and reads it. So all processes have one clock, which goes in steps. While no
 * process has a holder, it stands still.
 *
 * Nobody counts for long: a process that comes begins with what the key says, and what it gives time must not be due early for one that
 * has counted on in silence. Whoever has not read the key for a while begins with it as well.
 */
export class StoreClock {
  readonly #clock: Clock
  readonly #key: string
  /** Store time minus monotonic time, at the least. */
  #ahead = Number.NEGATIVE_INFINITY
  #seen = 0
  /** When somebody here last asked what read or raised the key, by the monotonic clock. */
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, keys: KeySpace) {
    this.#clock = clock
    this.#key = keys.clock
  }

  /** Store time for who does not read it: what the key was known to say, or, when it has fallen behind, what it is to be raised to. */
  standing(): number {
    const now = this.counted()
    return now < this.#seen + STEP_MS ? this.#seen : now
  }

  /** Whether the key has to be raised for a commit at this time. */
  isBehind(now: number): boolean {
    return now > this.#seen
  }

  /** Raises the key, if it is behind by that much; who commits at a time needs it to be no less. */
  raise(now: number, behind = 1): IRequestOp {
    return nested({
      compare: [isBelow(this.#key, timeKey(now - behind + 1))],
      success: [put(this.#key, timeKey(now))],
    })
  }

  /** Holds while others have not raised the key by more than a step above this time. */
  isTimely(now: number): ICompare {
    return isBelow(this.#key, timeKey(now + STEP_MS + 1))
  }

  /** The clock without raising it. */
  read(): IRequestOp {
    return get(this.#key)
  }

  /** Store time by now, or a little more than the key says. */
  counted(): number {
    const now = this.#clock.monotonic()
    return now > this.#askedAt + COUNTED_MS ? this.#seen : Math.max(this.#seen, Math.floor(this.#ahead + now))
  }

  /** For how long, in ms, nobody here has read the key. */
  get silentMs(): number {
    return this.#clock.monotonic() - this.#askedAt
  }

  /** Notes what the transaction read that has just been answered, and was asked at that monotonic time. */
  tell(value: number, askedAt: number): number {
    const now = this.#clock.monotonic()
    const isSilent = now > this.#askedAt + COUNTED_MS
    this.#seen = Math.max(this.#seen, value)
    this.#ahead = isSilent ? value - now : Math.max(this.#ahead, value - now)
    this.#askedAt = Math.max(this.#askedAt, askedAt)
    return value
  }
}
