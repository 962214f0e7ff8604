import { type Clock, systemClock } from '@slotkeeper/core/driver'

/** Between two looks at the uptime, which costs a system file, the monotonic clock serves for this long. */
const TRUSTED_MS = 5
/** The wall clock moved by so much more than the monotonic one: the machine may have been suspended in between. */
const SUSPECT_MS = 2
/** Linux tells its uptime in hundredths of a second, macOS in seconds. */
export const LONGEST_STEP_MS = process.platform === 'linux' ? 10 : 1000
/** How long opening waits for the next step. */
const SETTLE_MS = 12

/**
 * Milliseconds since the machine started, suspension included, the same in all of its processes.
 *
 * The system tells its uptime in steps (10 ms on Linux), the monotonic clock exactly but without the time suspended. The difference of
 * both is a constant that grows only with a suspension, and every look gives a lower bound of it: the highest one seen is used, so
 * that time never goes back and processes agree within one step, soon within less.
 */
export class UptimeClock {
  readonly #clock: Clock
  readonly #trustedMs: number
  #suspendedMs = Number.NEGATIVE_INFINITY
  #lookedAt = Number.NEGATIVE_INFINITY
  #lookedAtWall = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#trustedMs = clock === systemClock ? TRUSTED_MS : 0
  }

  /** Looks until the system's uptime makes a step, so that processes agree from the start. Takes one step of it, or a few ms. */
  async settle(): Promise<void> {
    if (this.#trustedMs === 0) return
    const first = this.#clock.uptime()
    const until = this.#clock.monotonic() + SETTLE_MS
    while (this.#clock.uptime() === first && this.#clock.monotonic() < until)
      await new Promise((resolve) => setImmediate(resolve))
    this.#look()
  }

  now(): number {
    const monotonic = this.#clock.monotonic()
    const passed = monotonic - this.#lookedAt
    if (passed < this.#trustedMs && Math.abs(this.#clock.wall() - this.#lookedAtWall - passed) < SUSPECT_MS)
      return monotonic + this.#suspendedMs
    return this.#look()
  }

  #look(): number {
    const uptime = this.#clock.uptime()
    this.#lookedAtWall = this.#clock.wall()
    this.#lookedAt = this.#clock.monotonic()
    this.#suspendedMs = Math.max(this.#suspendedMs, uptime - this.#lookedAt)
    return this.#lookedAt + this.#suspendedMs
  }
}
