import { uptime } from 'node:os'
import { performance } from 'node:perf_hooks'

/** Stops a timer; doing so twice, or after it rang, does nothing. */
export type Cancel = () => void

/** Where the SDK takes its time from. Tests inject their own. */
export interface Clock {
  /** Milliseconds that never go back; on Linux they stand still while the machine is suspended. */
  monotonic(): number
  /** Milliseconds since the machine started, suspension included. */
  uptime(): number
  /** Unix milliseconds, for people only. */
  wall(): number
  /** Rings once after `ms`. The timer keeps no process alive. */
  schedule(ring: () => void, ms: number): Cancel
  /** Keeps the process alive until cancelled: somebody awaits something that only another process can bring about. */
  keepAlive(): Cancel
}

/** The longest delay that a Node.js timer can have, 24 days and 20 hours; longer ones would ring at once. */
export const MOST_MS = 2 ** 31 - 1

/** The clock of this machine. */
export const systemClock: Clock = {
  monotonic: () => performance.now(),
  uptime: () => uptime() * 1000,
  wall: () => Date.now(),
  schedule(ring, ms) {
    const timer = setTimeout(ring, Math.min(Math.max(ms, 0), MOST_MS))
    timer.unref()
    return () => clearTimeout(timer)
  },
  keepAlive() {
    const timer = setInterval(() => {}, MOST_MS)
    return () => clearInterval(timer)
  },
}
