import type { Logger } from '@slotkeeper/core'
import { compare } from './compare.ts'
import { type Ledger, toRow } from './ledger.ts'
import { beginLocked, lockSession, unlock, type WaitOptions } from './locked.ts'
import type { Migration } from './migration.ts'
import { MigrationDriftError, MigrationFailedError } from './migration-errors.ts'
import { ScriptError } from './script.ts'
import type { Session } from './session.ts'
import { identifier, RESET_SESSION } from './sql-text.ts'
import { isConnectionLost, sqlStateOf, storeFailure } from './store-failure.ts'

/** What applying a file needs to know. */
export interface ApplyOptions extends WaitOptions {
  readonly lockTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly logger: Logger
  readonly signal?: AbortSignal | undefined
}

/** How long the file took, in ms; `undefined`: another process has applied it meanwhile. */
export type Applied = number | undefined

/** Applies one file, exactly once whoever else tries, and writes it into the ledger. */
export function applyFile(
  session: Session,
  ledger: Ledger,
  migration: Migration,
  options: ApplyOptions,
): Promise<Applied> {
  const apply = migration.inTransaction ? applyInTransaction : applyAlone
  return apply(session, ledger, migration, options)
}

async function applyInTransaction(
  session: Session,
  ledger: Ledger,
  migration: Migration,
  options: ApplyOptions,
): Promise<Applied> {
  const row = await beginLocked(session, ledger, options, {
    settings: timeouts('SET LOCAL', options),
    select: `SELECT own.*, pg_current_xact_id()::text AS transaction FROM (SELECT 1) one LEFT JOIN (${ledger.selectRow(migration)}) own ON true`,
  })
  const [found = {}] = row
  if (isApplied(migration, found)) {
    await session.query('ROLLBACK', migration.path)
    return undefined
  }
  const start = performance.now()
  await runScript(session, migration)
  const durationMs = Math.round(performance.now() - start)
  // A file that ends the transaction itself is in another one now, or in none.
  const isSame = `pg_current_xact_id()::text = '${found.transaction}'`
  const finish = `RESET SESSION AUTHORIZATION; RESET ROLE; ${ledger.insertApplied(migration, 'run', durationMs, isSame)}; COMMIT; ${RESET_SESSION}`
  try {
    await session.query(finish, `${migration.path} cannot be finished`)
  } catch (error) {
    throw finishingFailure(migration, error)
  }
  return durationMs
}

/**
 * What PostgreSQL does in no transaction (`CREATE INDEX CONCURRENTLY`, `VACUUM`) cannot be undone and cannot be done together with the
 * ledger. So the ledger says first that it begins. Whoever finds that later, and gets the lock, knows that it was stopped.
 */
async function applyAlone(
  session: Session,
  ledger: Ledger,
  migration: Migration,
  options: ApplyOptions,
): Promise<Applied> {
  const { path } = migration
  await lockSession(session, ledger, options)
  const [[found = {}] = []] = await session.query(ledger.selectRow(migration), path)
  if (isApplied(migration, found)) {
    await session.query(unlock(ledger), path)
    return undefined
  }
  await session.query(ledger.upsertStarted(migration), path)
  if (found.state === 'started') await clearLeftovers(session, ledger, migration, options)
  await session.query(timeouts('SET', options), path)
  const start = performance.now()
  await runScript(session, migration)
  const durationMs = Math.round(performance.now() - start)
  await session.query(
    `${RESET_SESSION} ${ledger.updateApplied(migration, durationMs)}; ${unlock(ledger)}`,
    path,
  )
  return durationMs
}

/** An interrupted `CREATE INDEX CONCURRENTLY` leaves an index that nobody uses, everybody writes, and `IF NOT EXISTS` takes for whole. */
async function clearLeftovers(
  session: Session,
  ledger: Ledger,
  migration: Migration,
  { logger }: ApplyOptions,
): Promise<void> {
  const text = migration.sql.toLowerCase()
  const isNamed = (name: unknown) => text.includes(String(name).toLowerCase())
  const [leftovers = []] = await session.query(ledger.selectLeftovers(migration), migration.path)
  for (const { schema, index, table } of leftovers) {
    if (!isNamed(String(index).replace(/_cc(new|old)\d*$/, '')) && !isNamed(table)) continue
    logger.warn(
      { path: migration.path, schema, index },
      'Dropping an index that an interrupted run left unusable',
    )
    const name = `${identifier(String(schema))}.${identifier(String(index))}`
    await session.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`, migration.path)
  }
}

/** True: another process was quicker. */
function isApplied(migration: Migration, found: Record<string, unknown>): boolean {
  if (found.schema_name === undefined || found.schema_name === null) return false
  const [status] = compare([migration], [toRow(found)])
  if (status?.state === 'applied') return true
  if (status?.state === 'unfinished' && !migration.inTransaction) return false
  throw new MigrationDriftError(status === undefined ? [] : [status])
}

async function runScript(session: Session, migration: Migration): Promise<void> {
  try {
    await session.run(migration.sql)
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error
    if (isConnectionLost(error.cause))
      throw storeFailure(error.cause, `The connection was lost in ${migration.path}`)
    throw new MigrationFailedError(migration, error)
  }
}

const DIVISION_BY_ZERO = '22012'

/** The commit checks constraints that were put off, which is the file's doing. */
function finishingFailure(migration: Migration, error: unknown): unknown {
  const { cause } = error as { cause?: unknown }
  if (cause === undefined || isConnectionLost(cause)) return error
  const why =
    sqlStateOf(cause) === DIVISION_BY_ZERO
      ? new Error(
          'the file ends its transaction itself; what it committed stays. Leave COMMIT and ROLLBACK out of migrations',
        )
      : cause
  return new MigrationFailedError(migration, new ScriptError(why))
}

function timeouts(set: 'SET' | 'SET LOCAL', { lockTimeoutMs, statementTimeoutMs }: ApplyOptions): string {
  return `${set} lock_timeout = ${lockTimeoutMs}; ${set} statement_timeout = ${statementTimeoutMs};`
}
