import type { Cancel, Clock } from '@slotkeeper/core'

interface Timer {
  readonly at: number
  readonly ring: () => void
}

/** A clock that stands still until it is told to move. */
export interface FakeClock extends Clock {
  /** Moves time on, ringing every timer in its order, and lets what they set off run before the next one. */
  advance(ms: number): Promise<void>
  /** Moves time on as a suspended machine does: uptime goes on, the monotonic clock stands still, no timer rings. */
  suspend(ms: number): void
  /** Moves time on as a blocked event loop does: the clocks go on, timers ring only afterwards. */
  block(ms: number): void
  /** Timers that are set. */
  readonly pending: number
}

/** Makes a fake clock. `wall`: Unix ms at which it starts; default 2026-01-01. */
export function fakeClock(options: { readonly wall?: number } = {}): FakeClock {
  const start = options.wall ?? Date.UTC(2026, 0, 1)
  let monotonic = 0
  let suspended = 0
  let alive = 0
  const timers = new Set<Timer>()
  const next = () => [...timers].sort((a, b) => a.at - b.at)[0]
  /** Lets everything run that waits for no timer. */
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
  return {
    monotonic: () => monotonic,
    uptime: () => monotonic + suspended,
    wall: () => start + monotonic + suspended,
    schedule(ring, ms): Cancel {
      const timer = { at: monotonic + Math.max(ms, 0), ring }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    keepAlive(): Cancel {
      alive++
      return () => alive--
    },
    async advance(ms) {
      const until = monotonic + ms
      await settle()
      for (let timer = next(); timer !== undefined && timer.at <= until; timer = next()) {
        timers.delete(timer)
        monotonic = Math.max(monotonic, timer.at)
        timer.ring()
        await settle()
      }
      monotonic = until
      await settle()
    },
    suspend(ms) {
      suspended += ms
    },
    block(ms) {
      monotonic += ms
    },
    get pending() {
      return timers.size
    },
  }
}
