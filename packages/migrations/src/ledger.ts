import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { StoreError } from '@slotkeeper/core'
import { lineHashes } from './line-hashes.ts'
import type { Migration } from './migration.ts'
import type { Session } from './session.ts'
import { bytesLiteral, identifier, literal } from './sql-text.ts'

/** Where the ledger is. */
export interface LedgerOptions {
  /** The schema of the ledger's table; made when it is missing. Default `slotkeeper`. */
  readonly ledgerSchema?: string
  /** The ledger's table; made when it is missing. Default `migrations`. */
  readonly ledgerTable?: string
  /** Several programs can keep their files in one ledger, each its own set. Default `default`. */
  readonly set?: string
}

/** A file as the ledger knows it. */
export interface LedgerRow {
  readonly schema: string
  readonly number: number
  readonly name: string
  readonly sha256: string
  /** `started`: runs in no transaction and has not ended, or was stopped. */
  readonly state: 'started' | 'applied'
  readonly how: 'run' | 'baseline' | 'repair'
  readonly appliedAt: Date | undefined
  readonly durationMs: number | undefined
  readonly appliedBy: string
  readonly appliedFrom: string
}

/** What one look at the database tells. */
export interface Look {
  readonly isStandby: boolean
  /** False: there is no ledger yet. */
  readonly exists: boolean
  readonly rows: readonly LedgerRow[]
}

const OLDEST_SERVER = 130_000
const FORMAT = 'Migrations that were applied (slotkeeper ledger, format 1)'
const COLUMNS =
  'schema_name, number::text, name, sha256, state, how, applied_at, duration_ms::text, applied_by, applied_from'
const MISSING = new Set(['42P01', '3F000'])

/** The ledger's table as SQL. Everything that it writes is ASCII, see `literal`. */
export class Ledger {
  readonly table: string
  /** Of the advisory lock under which everything changes. The same in all sets of a ledger, so that they take turns. */
  readonly lockKey: bigint
  readonly #schema: string
  readonly #set: string

  constructor({ ledgerSchema = 'slotkeeper', ledgerTable = 'migrations', set = 'default' }: LedgerOptions) {
    this.table = `${identifier(ledgerSchema)}.${identifier(ledgerTable)}`
    this.#schema = ledgerSchema
    this.#set = literal(set)
    this.lockKey = createHash('sha256')
      .update(`slotkeeper migrations ${this.table}`)
      .digest()
      .readBigInt64BE()
  }

  /**
   * Everything there is to know, in one round trip where there is a ledger.
   * @throws StoreError: the server is too old, or the table is not a ledger, or is one of a newer release
   */
  async look(session: Session): Promise<Look> {
    const rows = `SELECT ${COLUMNS} FROM ${this.table} WHERE set_name = ${this.#set}`
    let results: Record<string, unknown>[][]
    try {
      results = await session.query(`${this.#facts}; ${rows}`, READING)
    } catch (error) {
      if (!MISSING.has(String((error as { cause?: { code?: unknown } }).cause?.code))) throw error
      results = await session.query(this.#facts, READING)
    }
    const [facts = {}] = results[0] ?? []
    session.pid = Number(facts.pid)
    if (Number(facts.version) < OLDEST_SERVER)
      throw new StoreError(
        'SLOTKEEPER_STORE_UNSUITABLE',
        `The server is PostgreSQL ${facts.version_name}; 13 or newer is needed.`,
      )
    if (facts.exists === true && facts.comment !== FORMAT) throw this.#foreign(facts.comment)
    return {
      isStandby: facts.standby === true,
      exists: facts.exists === true,
      rows: (results[1] ?? []).map(toRow),
    }
  }

  get #facts(): string {
    const name = literal(this.table)
    return `SELECT current_setting('server_version_num') AS version, current_setting('server_version') AS version_name,
      pg_is_in_recovery() AS standby, pg_backend_pid() AS pid, to_regclass(${name}) IS NOT NULL AS exists,
      obj_description(to_regclass(${name}), 'pg_class') AS comment`
  }

  #foreign(comment: unknown): StoreError {
    return typeof comment === 'string' && /slotkeeper ledger, format \d+/.test(comment)
      ? new StoreError(
          'SLOTKEEPER_SCHEMA_TOO_NEW',
          `The ledger ${this.table} was made by a newer release. Install it.`,
        )
      : new StoreError(
          'SLOTKEEPER_STORE_FOREIGN',
          `The table ${this.table} is no ledger of migrations. Name another one.`,
        )
  }

  /** Makes schema and table. In a transaction, under the lock; whoever came first has made them. */
  async create(session: Session): Promise<void> {
    const schema = literal(this.#schema)
    const [[found]] = (await session.query(
      `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = ${schema}) AS schema, to_regclass(${literal(this.table)}) IS NOT NULL AS table`,
      READING,
    )) as [[Record<string, unknown>]]
    if (found.table === true) return
    // IF NOT EXISTS would ask for the right to make schemas even where there is one.
    const statements = found.schema === true ? [] : [`CREATE SCHEMA ${identifier(this.#schema)}`]
    statements.push(
      `CREATE TABLE ${this.table} (
        set_name text NOT NULL, schema_name text NOT NULL, number bigint NOT NULL, name text NOT NULL,
        sha256 text NOT NULL, line_hashes bytea NOT NULL,
        state text NOT NULL CHECK (state IN ('started', 'applied')),
        how text NOT NULL CHECK (how IN ('run', 'baseline', 'repair')),
        started_at timestamptz NOT NULL DEFAULT clock_timestamp(), applied_at timestamptz, duration_ms bigint,
        applied_by text NOT NULL DEFAULT session_user, applied_from text NOT NULL,
        invalid_before oid[] NOT NULL DEFAULT '{}',
        PRIMARY KEY (set_name, schema_name, number))`,
      `COMMENT ON TABLE ${this.table} IS ${literal(FORMAT)}`,
    )
    await session.query(statements.join('; '), 'The ledger cannot be made')
  }

  /** The row of a file, alone. */
  selectRow(migration: Migration): string {
    return `SELECT ${COLUMNS} FROM ${this.table} WHERE ${this.#where(migration)}`
  }

  /**
   * Writes that a file is applied, and fails, with a division by zero, unless `condition` holds. One that was run is in the message that is
   * under way: it took the time since that came.
   */
  insertApplied(migration: Migration, how: LedgerRow['how'], condition = 'true'): string {
    const { schema, number, name, sha256, sql } = migration
    return `INSERT INTO ${this.table}
      (set_name, schema_name, number, name, sha256, line_hashes, state, how, applied_at, duration_ms, applied_from)
      SELECT ${this.#set}, ${literal(schema)}, ${number}, ${literal(name)}, '${sha256}', ${bytesLiteral(lineHashes(sql))},
        'applied', '${how}', clock_timestamp(), ${how === 'run' ? SINCE_THE_MESSAGE : 'NULL'} / CASE WHEN ${condition} THEN 1 ELSE 0 END, ${FROM}`
  }

  /** Writes that a file outside of transactions begins, and which indexes are unusable before it. */
  upsertStarted({ schema, number, name, sha256, sql }: Migration): string {
    return `INSERT INTO ${this.table}
      (set_name, schema_name, number, name, sha256, line_hashes, state, how, applied_from, invalid_before)
      VALUES (${this.#set}, ${literal(schema)}, ${number}, ${literal(name)}, '${sha256}', ${bytesLiteral(lineHashes(sql))},
        'started', 'run', ${FROM}, ARRAY(SELECT indexrelid FROM pg_index WHERE NOT indisvalid))
      ON CONFLICT (set_name, schema_name, number) DO UPDATE SET name = excluded.name, sha256 = excluded.sha256,
        line_hashes = excluded.line_hashes, applied_by = session_user, applied_from = excluded.applied_from`
  }

  /** Writes that it has ended. */
  updateApplied(migration: Migration, durationMs: number): string {
    return `UPDATE ${this.table} SET state = 'applied', applied_at = clock_timestamp(), duration_ms = ${durationMs}
      WHERE ${this.#where(migration)}`
  }

  /** Indexes that an interrupted file left unusable: not before it, and not in the making by somebody else. */
  selectLeftovers(migration: Migration): string {
    return `SELECT n.nspname AS schema, c.relname AS index, t.relname AS table
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_class t ON t.oid = i.indrelid
      WHERE NOT i.indisvalid AND c.relkind = 'i'
        AND i.indexrelid <> ALL ((SELECT invalid_before FROM ${this.table} WHERE ${this.#where(migration)})::oid[])
        AND NOT EXISTS (SELECT 1 FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)`
  }

  deleteRow(row: { readonly schema: string; readonly number: number }): string {
    return `DELETE FROM ${this.table} WHERE ${this.#where(row)}`
  }

  /** The hashes of the lines of files, by which a hint is made. */
  selectLineHashes(rows: readonly { readonly schema: string; readonly number: number }[]): string {
    const wanted = rows.map((row) => `(${this.#where(row)})`).join(' OR ')
    return `SELECT schema_name, number::text, line_hashes FROM ${this.table} WHERE ${wanted}`
  }

  #where({ schema, number }: { readonly schema: string; readonly number: number }): string {
    return `set_name = ${this.#set} AND schema_name = ${literal(schema)} AND number = ${number}`
  }
}

const SINCE_THE_MESSAGE =
  'round(1000 * extract(epoch FROM clock_timestamp() - statement_timestamp()))::bigint'
const READING = 'The ledger cannot be read'
const FROM = literal(`${hostname()}, process ${process.pid}`)

/** A row as it comes from the database. */
export function toRow(row: Record<string, unknown>): LedgerRow {
  return {
    schema: String(row.schema_name),
    number: Number(row.number),
    name: String(row.name),
    sha256: String(row.sha256),
    state: row.state as LedgerRow['state'],
    how: row.how as LedgerRow['how'],
    appliedAt: row.applied_at === null ? undefined : (row.applied_at as Date),
    durationMs: row.duration_ms === null ? undefined : Number(row.duration_ms),
    appliedBy: String(row.applied_by),
    appliedFrom: String(row.applied_from),
  }
}
