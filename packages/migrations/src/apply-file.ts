import type { Logger } from '@slotkeeper/core'
import { compare } from './compare.ts'
import { type Ledger, toRow } from './ledger.ts'
import { type Begun, begin, beginLocked, lockSession, readCells, unlock, type WaitOptions } from './locked.ts'
import type { Migration } from './migration.ts'
import { MigrationDriftError, MigrationFailedError } from './migration-errors.ts'
import { type Cells, ScriptError } from './script.ts'
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

/** What came of a file. */
export interface Applied {
  /** How long it took, in ms; `undefined`: another process has applied it meanwhile. */
  readonly durationMs: number | undefined
  /** The transaction of `next` is open, has the lock, and found this of it in the ledger. */
  readonly begun?: Begun
}

/** What is known of the neighbours of a file. */
export interface Neighbours {
  /** What the file before has left. */
  readonly begun?: Begun
  /** The file after it: its transaction begins in the same message in which this one runs and ends, so a file costs one round trip. */
  readonly next?: Migration | undefined
}

/** Applies one file, exactly once whoever else tries, and writes it into the ledger. */
export function applyFile(
  session: Session,
  ledger: Ledger,
  migration: Migration,
  options: ApplyOptions & Neighbours,
): Promise<Applied> {
  const apply = migration.inTransaction ? applyInTransaction : applyAlone
  return apply(session, ledger, migration, options)
}

async function applyInTransaction(
  session: Session,
  ledger: Ledger,
  migration: Migration,
  options: ApplyOptions & Neighbours,
): Promise<Applied> {
  const beginningOf = (file: Migration) => ({
    settings: settings('SET LOCAL', session, options),
    select: ledger.selectRow(file),
  })
  const { next } = options
  const own = options.begun ?? (await beginLocked(session, ledger, options, beginningOf(migration)))
  if (isApplied(migration, own.rows[0])) {
    await session.query('ROLLBACK', migration.path)
    return { durationMs: undefined }
  }
  // A file that ends the transaction itself is in another one now, or in none.
  const isSame = `pg_current_xact_id()::text = '${own.transaction}'`
  const insert = ledger.insertApplied(migration, 'run', isSame)
  const finish = `RESET SESSION AUTHORIZATION; RESET ROLE; ${insert}; COMMIT; ${RESET_SESSION}`
  const goesOn = next?.inTransaction === true ? begin(ledger, beginningOf(next)) : ''
  const start = performance.now()
  const rows = await runScript(session, migration, `${finish} ${goesOn}`)
  const durationMs = Math.round(performance.now() - start)
  if (goesOn === '') return { durationMs }
  const begun = readCells(rows)
  if (begun === undefined) await session.query('ROLLBACK', migration.path)
  return { durationMs, begun }
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
  const [[found] = []] = await session.query(ledger.selectRow(migration), path)
  if (isApplied(migration, found)) {
    await session.query(unlock(ledger), path)
    return { durationMs: undefined }
  }
  await session.query(ledger.upsertStarted(migration), path)
  if (found !== undefined) await clearLeftovers(session, ledger, migration, options)
  await session.query(settings('SET', session, options), path)
  const start = performance.now()
  await runScript(session, migration)
  const durationMs = Math.round(performance.now() - start)
  await session.query(
    `${RESET_SESSION} ${ledger.updateApplied(migration, durationMs)}; ${unlock(ledger)}`,
    path,
  )
  return { durationMs }
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
function isApplied(migration: Migration, found: Record<string, unknown> | undefined): boolean {
  if (found === undefined) return false
  const [status] = compare([migration], [toRow(found)])
  if (status?.state === 'applied') return true
  if (status?.state === 'unfinished' && !migration.inTransaction) return false
  throw new MigrationDriftError(status === undefined ? [] : [status])
}

/** Runs a file, and statements of ours behind it in the same message; answers the rows of these. */
async function runScript(
  session: Session,
  migration: Migration,
  following?: string,
): Promise<readonly Cells[]> {
  try {
    return await session.run(migration.sql, following)
  } catch (thrown) {
    const error = await inItsOwnWords(session, migration, thrown)
    if (!(error instanceof ScriptError)) throw error
    const { cause, completed } = error
    if (isConnectionLost(cause))
      throw storeFailure(
        cause,
        `The connection was lost in ${migration.path}, and the next start finds out whether it was applied`,
      )
    throw new MigrationFailedError(migration, completed === undefined ? finishingFailure(cause) : error)
  }
}

/** A file that breaks off within a statement seems to be wrong behind its end. Nothing ran then: alone it fails again, for what is missing. */
async function inItsOwnWords(session: Session, { sql }: Migration, error: unknown): Promise<unknown> {
  if (!(error instanceof ScriptError) || sqlStateOf(error.cause) !== SYNTAX_ERROR) return error
  if (Number((error.cause as { position?: unknown }).position) <= Array.from(sql).length) return error
  return await session.run(sql).then(
    () => error,
    (again: unknown) => again,
  )
}

const SYNTAX_ERROR = '42601'
const DIVISION_BY_ZERO = '22012'

/** The commit checks constraints that were put off, which is the file's doing. */
function finishingFailure(cause: unknown): ScriptError {
  return new ScriptError(
    sqlStateOf(cause) === DIVISION_BY_ZERO
      ? new Error(
          'the file ends its transaction itself; what it committed stays. Leave COMMIT and ROLLBACK out of migrations',
        )
      : cause,
  )
}

function settings(
  set: 'SET' | 'SET LOCAL',
  session: Session,
  { lockTimeoutMs, statementTimeoutMs }: ApplyOptions,
): string {
  return `${session.watchClient(set)} ${set} lock_timeout = ${lockTimeoutMs}; ${set} statement_timeout = ${statementTimeoutMs};`
}
