import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@slotkeeper/core'
import type { Ledger } from './ledger.ts'
import { MigrationLockedError } from './migration-errors.ts'
import type { Cells } from './script.ts'
import type { Session } from './session.ts'

/** How to wait for others. */
export interface WaitOptions {
  /** How long to wait for another process that applies migrations to the same database, in ms. Default 600,000. */
  readonly waitMs?: number
}

interface Waiting extends WaitOptions {
  readonly logger: Logger
  readonly signal?: AbortSignal | undefined
}

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 500
const TELL_EVERY_MS = 10_000
const LOCKING = 'The lock cannot be taken'

/** What a transaction under the lock begins with. */
export interface Beginning {
  /** Settings of the transaction, each ended by a semicolon. */
  readonly settings?: string
  /** Asked once the lock is there, so it sees what the last owner of the lock committed. */
  readonly select?: string
}

/** A transaction that has the lock; `undefined`: one that has it not, and is good for nothing. */
export type Begun =
  | {
      /** Which one it is, as text. */
      readonly transaction: string
      /** What `select` found. */
      readonly rows: readonly Record<string, unknown>[]
    }
  | undefined

/**
 * SQL that begins a transaction and tries the lock. Between two messages of ours pass milliseconds:
 * a transaction that waits for a minute has lost its client, and gives the lock back.
 */
export function begin(ledger: Ledger, { settings = '', select = 'SELECT 1' }: Beginning): string {
  return `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL idle_in_transaction_session_timeout = 60000; ${settings}
    SELECT pg_try_advisory_xact_lock(${ledger.lockKey}) AS locked, pg_current_xact_id()::text AS transaction; ${select}`
}

function readBegun(results: readonly (readonly Record<string, unknown>[])[]): Begun {
  const [tried] = results.at(-2) ?? []
  if (tried?.locked !== true) return undefined
  return { transaction: String(tried.transaction), rows: results.at(-1) ?? [] }
}

/** Reads the rows of `begin` as text. Where `select` finds something, the transaction is no good: who wants to know what begins anew. */
export function readCells([tried, ...found]: readonly Cells[]): Begun {
  if (tried?.[0] !== 't' || found.length > 0) return undefined
  return { transaction: String(tried[1]), rows: [] }
}

/**
 * Begins a transaction that has the lock.
 *
 * The lock is tried again and again: one that is waited for inside the server keeps a transaction open all the time, and
 * `CREATE INDEX CONCURRENTLY` of its owner waits for the end of all of these.
 * @throws MigrationLockedError (`SLOTKEEPER_MIGRATION_LOCKED`)
 */
export async function beginLocked(
  session: Session,
  ledger: Ledger,
  waiting: Waiting,
  beginning: Beginning = {},
): Promise<NonNullable<Begun>> {
  return await untilLocked(ledger, waiting, async () => {
    const begun = readBegun(await session.query(begin(ledger, beginning), LOCKING))
    if (begun === undefined) await session.query('ROLLBACK', LOCKING)
    return begun
  })
}

/** Takes the lock for the session, for what cannot run in a transaction. It ends with the session, or with `unlock`. */
export async function lockSession(session: Session, ledger: Ledger, waiting: Waiting): Promise<void> {
  await untilLocked(ledger, waiting, async () => {
    const [[row] = []] = await session.query(
      `SELECT pg_try_advisory_lock(${ledger.lockKey}) AS locked`,
      LOCKING,
    )
    return row?.locked === true ? true : undefined
  })
}

/** SQL that gives back what `lockSession` took. */
export function unlock(ledger: Ledger): string {
  return `SELECT pg_advisory_unlock(${ledger.lockKey})`
}

async function untilLocked<T>(
  ledger: Ledger,
  waiting: Waiting,
  attempt: () => Promise<T | undefined>,
): Promise<T> {
  const { waitMs = 600_000, logger, signal } = waiting
  const start = performance.now()
  let told = 0
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    const result = await attempt()
    if (result !== undefined) return result
    const waitedMs = Math.round(performance.now() - start)
    if (waitedMs >= waitMs) throw new MigrationLockedError(ledger.lockKey, waitedMs)
    if (waitedMs >= told + TELL_EVERY_MS) {
      told = waitedMs
      logger.info({ waitedMs }, 'Another process applies migrations to this database; waiting for it')
    }
    // At random, or several that began together would always meet.
    const ms = Math.min(pause * (0.5 + Math.random()), waitMs - waitedMs)
    await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => signal?.throwIfAborted())
  }
}
