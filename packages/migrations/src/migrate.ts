import { InvalidArgumentError } from '@slotkeeper/core'
import { applyFile } from './apply-file.ts'
import { type FileStatus, isDrift } from './compare.ts'
import type { Begun } from './locked.ts'
import { type MigrationsOptions, Workplace } from './workplace.ts'

/** How to migrate. */
export interface MigrateOptions extends MigrationsOptions {
  /** How long a statement may wait for a lock of a table, in ms; 0: for ever. Default 10,000: all others queue behind who waits. */
  readonly lockTimeoutMs?: number
  /** How long a statement may take, in ms; 0: for ever. Default 0. */
  readonly statementTimeoutMs?: number
  /** Applies new files with numbers below applied ones, which is an error otherwise. Default false. */
  readonly outOfOrder?: boolean
  /** Only tells what would be applied; nothing is written, not even a ledger. Default false. */
  readonly dryRun?: boolean
  /** Called before each file. */
  readonly onFile?: (path: string) => void
}

/** What was done. */
export interface MigrateResult {
  /** The files that this call applied, in order, or with `dryRun` would apply. */
  readonly applied: readonly { readonly path: string; readonly durationMs: number | undefined }[]
  /** How many files there are, all of them applied now (unless with `dryRun`). */
  readonly total: number
  readonly warnings: readonly string[]
}

/**
 * Applies all files that the database has not, each in a transaction of its own together with its row in the ledger, and each
 * once, whoever else does the same at the same time. It stops at the first failure; what was applied before stays. A call that finds
 * nothing to do takes no lock, writes nothing and asks the database once.
 * @example
 * await migrate({ connectionString, source: directorySource('migrations') })
 * @throws MigrationFailedError (`SLOTKEEPER_MIGRATION_FAILED`), MigrationDriftError (`SLOTKEEPER_MIGRATION_DRIFT`),
 * MigrationLockedError (`SLOTKEEPER_MIGRATION_LOCKED`), SlotkeeperError (`SLOTKEEPER_MIGRATION_SOURCE_…`), StoreError
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const { lockTimeoutMs = 10_000, statementTimeoutMs = 0, dryRun = false } = options
  for (const [name, ms] of Object.entries({ lockTimeoutMs, statementTimeoutMs }))
    if (!(Number.isInteger(ms) && ms >= 0 && ms <= 2_147_483_647))
      throw new InvalidArgumentError(`${name} is ${ms}: it must be a whole number of ms, 0 or more.`)
  return await Workplace.open(options, async (place) => {
    for (const warning of place.warnings) place.logger.warn({}, warning)
    const { look, statuses } = await place.look()
    const judged = statuses.map((status) => (options.outOfOrder === true ? inOrder(status) : status))
    await place.refuseDrift(look, judged)
    const paths = new Set(judged.flatMap(({ path, state }) => (state === 'applied' ? [] : [path])))
    const pending = place.migrations.filter(({ path }) => paths.has(path))
    const result = { total: place.migrations.length, warnings: place.warnings }
    if (dryRun) return { ...result, applied: pending.map(({ path }) => ({ path, durationMs: undefined })) }
    if (pending.length === 0) return { ...result, applied: [] }
    if (look.isStandby || !look.exists) {
      await place.begin(look)
      await place.commit()
    }
    const applied: { path: string; durationMs: number }[] = []
    const { signal, waitMs } = options
    const { session, ledger, logger } = place
    await session.learnToWatch()
    let begun: Begun
    for (const [at, migration] of pending.entries()) {
      const { path } = migration
      options.onFile?.(path)
      const applying = await applyFile(session, ledger, migration, {
        ...{ begun, next: pending[at + 1] },
        ...{ lockTimeoutMs, statementTimeoutMs, logger, signal },
        ...(waitMs !== undefined && { waitMs }),
      })
      begun = applying.begun
      const { durationMs } = applying
      if (durationMs === undefined) continue
      logger.info({ path, durationMs }, 'Migration applied')
      applied.push({ path, durationMs })
    }
    return { ...result, applied }
  })
}

function inOrder(status: FileStatus): FileStatus {
  return status.state === 'out-of-order' ? { path: status.path, state: 'pending' } : status
}

/** Every file with what the ledger says of it. Writes nothing; where there is no ledger, every file is pending. */
export async function status(options: MigrationsOptions): Promise<readonly FileStatus[]> {
  return await Workplace.open(options, async (place) => (await place.look()).statuses)
}

/** What `verify` found, when nothing is wrong. */
export interface VerifyResult {
  readonly applied: number
  /** Not applied yet, in order. */
  readonly pending: readonly string[]
}

/**
 * Checks that what was applied is what the files say. Writes nothing.
 * @throws MigrationDriftError (`SLOTKEEPER_MIGRATION_DRIFT`) when a file was edited, renamed, removed, or is out of order
 */
export async function verify(options: MigrationsOptions): Promise<VerifyResult> {
  return await Workplace.open(options, async (place) => {
    const { look, statuses } = await place.look()
    if (statuses.some(isDrift)) await place.refuseDrift(look, statuses)
    const pending = statuses.filter(({ state }) => state !== 'applied').map(({ path }) => path)
    return { applied: statuses.length - pending.length, pending }
  })
}
