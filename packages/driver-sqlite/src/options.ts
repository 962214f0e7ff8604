import { isAbsolute, resolve } from 'node:path'
import { type Clock, SlotkeeperError, systemClock } from '@slotkeeper/core/driver'

/** Where the store is and how it is written. */
export interface SqliteDriverOptions {
  /** The database file; made at `open` where there is none. Its directory must exist, on a local disk. */
  readonly path: string
  /**
   * `full`: a commit is on the disk before anybody hears of it, so that a power cut takes nothing back. `normal`: a power cut may take
   * back the last commits, about ten times as fast where the disk is slow. Default: `full`.
   */
  readonly synchronous?: 'full' | 'normal'
  /** How long one try for the file's lock may block the event loop, in ms, 0 to 1000; tries are repeated without blocking. Default: 2. */
  readonly busyTimeoutMs?: number
  /** How long a call waits for a file that somebody else keeps locked, in ms, unless its signal aborts sooner. Default: 30,000. */
  readonly lockTimeoutMs?: number
  /** Where time comes from. Default: the machine's. For tests. */
  readonly clock?: Clock
}

/** The options, checked and complete. */
export interface Settled {
  readonly path: string
  readonly synchronous: 'full' | 'normal'
  readonly busyTimeoutMs: number
  readonly lockTimeoutMs: number
  readonly clock: Clock
}

const LONGEST_BLOCK_MS = 1000

/** @throws SlotkeeperError `SLOTKEEPER_INVALID_ARGUMENT` for an option that cannot be meant */
export function settleOptions(options: SqliteDriverOptions): Settled {
  const {
    path,
    synchronous = 'full',
    busyTimeoutMs = 2,
    lockTimeoutMs = 30_000,
    clock = systemClock,
  } = options
  checkPath(path)
  if (synchronous !== 'full' && synchronous !== 'normal')
    throw wrong('synchronous', synchronous, "it must be 'full' or 'normal'")
  if (!(Number.isInteger(busyTimeoutMs) && busyTimeoutMs >= 0 && busyTimeoutMs <= LONGEST_BLOCK_MS))
    throw wrong(
      'busyTimeoutMs',
      busyTimeoutMs,
      `it must be a whole number of ms from 0 to ${LONGEST_BLOCK_MS}, since it blocks the process`,
    )
  if (!(typeof lockTimeoutMs === 'number' && lockTimeoutMs >= 0))
    throw wrong('lockTimeoutMs', lockTimeoutMs, 'it must be a number of ms from 0')
  return { path: isAbsolute(path) ? path : resolve(path), synchronous, busyTimeoutMs, lockTimeoutMs, clock }
}

function checkPath(path: unknown): asserts path is string {
  if (typeof path !== 'string' || path === '') throw wrong('path', path, 'it must name a file')
  if (path === ':memory:')
    throw wrong('path', path, 'it must name a file; @slotkeeper/driver-memory keeps slots in memory')
  if (path.includes('\0')) throw wrong('path', path, 'it must not contain a NUL character')
  // better-sqlite3 trims the name, so another file than the named one would be opened.
  if (path !== path.trim()) throw wrong('path', path, 'it must not begin or end with white space')
}

function wrong(option: string, found: unknown, expected: string): SlotkeeperError {
  return new SlotkeeperError(
    'SLOTKEEPER_INVALID_ARGUMENT',
    `sqliteDriver ${option} is ${JSON.stringify(found) ?? 'absent'}: ${expected}.`,
  )
}
