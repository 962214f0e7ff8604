import type { Slot } from '@slotkeeper/core'
import { after, type Deadline, now } from '../supervision/deadline.ts'

/**
 * Until when a slot is provably held, as core tells: counted from the moment at which the last successful heartbeat was sent, with
 * its margin. Not later than this moment once the slot is lost.
 */
export function leaseDeadline(slot: Slot): Deadline {
  // Taken first: whatever stops this process between two lines makes the deadline earlier, never later.
  const from = now()
  return after(from, slot.remainingMs)
}

/** How long before the deadline a command is asked to end, so that it has the time to: at most a fifth of what it depends on, in ms. */
export function graceOf({
  ttlMs,
  maxHoldMs = ttlMs,
}: {
  readonly ttlMs: number
  readonly maxHoldMs?: number | undefined
}): number {
  return Math.min(5000, ttlMs / 5, maxHoldMs / 5)
}

/** How often the deadline is looked at, to tell the supervisor of every heartbeat soon. */
export function lookOf(ttlMs: number): number {
  return Math.min(Math.max(ttlMs / 20, 20), 500)
}
