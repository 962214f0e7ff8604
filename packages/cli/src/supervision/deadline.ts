import { uptime } from 'node:os'

/**
 * A moment by two clocks that every process of the machine reads alike, so that it means the same on both ends of a pipe, however
 * long the message was under way. Whichever clock passes it first counts: Linux's monotonic clock stands still while the machine is
 * suspended, the uptime goes on.
 */
export interface Deadline {
  readonly monotonicMs: number
  readonly uptimeMs: number
}

/** This moment. */
export function now(): Deadline {
  // performance.now() counts from each process's own start; this one from the machine's.
  return { monotonicMs: Number(process.hrtime.bigint()) / 1e6, uptimeMs: uptime() * 1000 }
}

/** So many ms after a moment. */
export function after(from: Deadline, ms: number): Deadline {
  return { monotonicMs: from.monotonicMs + ms, uptimeMs: from.uptimeMs + ms }
}

/** Milliseconds until then, negative once it has passed. */
export function leftMs(until: Deadline): number {
  const at = now()
  return Math.min(until.monotonicMs - at.monotonicMs, until.uptimeMs - at.uptimeMs)
}
