import { type Logger, StoreError, silentLogger } from '@slotkeeper/core'
import { compare, type FileStatus, isDrift, keyOf } from './compare.ts'
import { connect, type DatabaseOptions } from './database.ts'
import { Ledger, type LedgerOptions, type Look } from './ledger.ts'
import { whereItDiffers } from './line-hashes.ts'
import { beginLocked, type WaitOptions } from './locked.ts'
import type { Migration, MigrationFile } from './migration.ts'
import { MigrationDriftError } from './migration-errors.ts'
import { type OrderOptions, orderMigrations } from './order-migrations.ts'
import { Session } from './session.ts'
import { listSource, type MigrationSource } from './source.ts'

/** What every operation on migrations is given. */
export interface MigrationsOptions extends DatabaseOptions, OrderOptions, LedgerOptions, WaitOptions {
  /** Where the files come from, or the files themselves. */
  readonly source: MigrationSource | readonly MigrationFile[]
  readonly logger?: Logger
  /** Ends the operation: the statement under way is cancelled and its file rolled back; the call throws the signal's reason. */
  readonly signal?: AbortSignal
}

/** Files, ledger and connection of one operation. */
export class Workplace {
  readonly session: Session
  readonly ledger: Ledger
  readonly migrations: readonly Migration[]
  readonly warnings: readonly string[]
  readonly logger: Logger
  readonly #options: MigrationsOptions

  private constructor(
    session: Session,
    options: MigrationsOptions,
    found: ReturnType<typeof orderMigrations>,
  ) {
    this.session = session
    this.ledger = new Ledger(options)
    this.migrations = found.migrations
    this.warnings = found.warnings
    this.logger = options.logger ?? silentLogger
    this.#options = options
  }

  /** Reads the files, connects, does `work`, and closes the connection whatever happens. */
  static async open<T>(options: MigrationsOptions, work: (place: Workplace) => Promise<T>): Promise<T> {
    const { signal, logger = silentLogger } = options
    const source = isList(options.source) ? listSource(options.source) : options.source
    const files = await source.read(signal === undefined ? {} : { signal })
    const found = orderMigrations(files, options)
    const session = new Session(await connect(options), logger, signal)
    try {
      return await work(new Workplace(session, options, found))
    } finally {
      await session.close()
    }
  }

  async look(): Promise<{ readonly look: Look; readonly statuses: FileStatus[] }> {
    const look = await this.ledger.look(this.session)
    return { look, statuses: compare(this.migrations, look.rows) }
  }

  /** @throws MigrationDriftError when one of the files is not what was applied, with a hint where it differs */
  async refuseDrift(look: Look, statuses: readonly FileStatus[]): Promise<void> {
    const wrong = statuses.filter(isDrift)
    if (wrong.length === 0) return
    const byPath = new Map(this.migrations.map((migration) => [migration.path, migration]))
    const edited = wrong.flatMap(({ path, state }) => (state === 'edited' ? (byPath.get(path) ?? []) : []))
    const known = new Set(look.rows.map(keyOf))
    const hints = new Map<string, string>()
    if (edited.length > 0) {
      const [rows = []] = await this.session.query(
        this.ledger.selectLineHashes(edited),
        'The ledger cannot be read',
      )
      for (const row of rows) {
        const key = keyOf({ schema: String(row.schema_name), number: Number(row.number) })
        const migration = edited.find((one) => keyOf(one) === key)
        if (migration === undefined || !known.has(key)) continue
        hints.set(migration.path, whereItDiffers(row.line_hashes as Buffer, migration.sql))
      }
    }
    throw new MigrationDriftError(
      wrong.map((status) => {
        const hint = hints.get(status.path)
        return hint === undefined ? status : { ...status, detail: `${hint}; ${status.detail}` }
      }),
    )
  }

  /** Begins a transaction that has the lock and finds a ledger. */
  async begin(look: Look): Promise<void> {
    if (look.isStandby)
      throw new StoreError(
        'SLOTKEEPER_STORE_READ_ONLY',
        'The server is a standby, which takes no writes. Migrate its primary; the standby follows.',
      )
    const { signal, waitMs } = this.#options
    await beginLocked(this.session, this.ledger, {
      logger: this.logger,
      signal,
      ...(waitMs !== undefined && { waitMs }),
    })
    if (!look.exists) await this.ledger.create(this.session)
  }

  commit(): Promise<unknown> {
    return this.session.query('COMMIT', 'The ledger cannot be written')
  }
}

function isList(source: MigrationsOptions['source']): source is readonly MigrationFile[] {
  return Array.isArray(source)
}
