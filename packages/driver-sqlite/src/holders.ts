import type { HolderId, HolderTerm } from '@slotkeeper/core/driver'
import type { Store } from './store.ts'

/** Each of these runs in a write transaction of its own. */

/** Makes a new live holder. */
export function openHolder(store: Store, holder: HolderId, ttlMs: number): HolderTerm {
  store.mustBeInPlace()
  const now = store.now()
  store.sql.openHolder.run(holder, ttlMs, now + ttlMs)
  store.mirror.forgetHolders()
  return { now, ttlMs, epoch: 0, sweep: needsSweep(store, now) }
}

/** Nothing for a holder that is dead, overdue or unknown. Who is overdue is dead from then on, also by clocks that are a hair behind. */
export function heartbeat(store: Store, holder: HolderId): HolderTerm | undefined {
  store.mustBeInPlace()
  const now = store.now()
  const cells = store.sql.heartbeat.get(now, holder, now)
  store.mirror.forgetHolders()
  if (cells === undefined) return void store.sql.bury.run(holder, now)
  return { now, ttlMs: cells[0] as number, epoch: cells[1] as number, sweep: needsSweep(store, now) }
}

/** Has the holder dead from now on; nothing where it is dead already, or was never opened. */
export function closeHolder(store: Store, holder: HolderId): void {
  store.sql.bury.run(holder, Number.POSITIVE_INFINITY)
  store.mirror.forgetHolders()
}

function needsSweep(store: Store, now: number): boolean {
  return store.mirror.recent.firstDue <= now || store.sql.overdueWork.get({ now }) === 1
}
