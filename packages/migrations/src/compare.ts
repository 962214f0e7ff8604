import type { LedgerRow } from './ledger.ts'
import type { Migration } from './migration.ts'

/** What a file is, compared with the ledger. */
export interface FileStatus {
  readonly path: string
  /**
   * `applied`, `pending`: as it should be. `unfinished`: it runs in no transaction and was stopped in the middle; the next start
   * finishes it. The others stop everything: `edited` since it was applied, `renamed`, `missing` although applied,
   * `out-of-order`: new, with a number below one of its schema that is applied.
   */
  readonly state: 'applied' | 'pending' | 'unfinished' | 'edited' | 'renamed' | 'missing' | 'out-of-order'
  /** What is wrong and what to do, in one sentence without a full stop. */
  readonly detail?: string
  readonly appliedAt?: Date
  readonly durationMs?: number
  /** The database's user who applied it. */
  readonly appliedBy?: string
  /** The host and the process that applied it. */
  readonly appliedFrom?: string
  /** How it came into the ledger. */
  readonly how?: 'run' | 'baseline' | 'repair'
}

/** Every file of the source and of the ledger, in order; missing ones at the end. */
export function compare(migrations: readonly Migration[], rows: readonly LedgerRow[]): FileStatus[] {
  const byNumber = new Map(rows.map((row) => [keyOf(row), row]))
  const highest = new Map<string, number>()
  for (const { schema, number, state } of rows)
    if (state === 'applied') highest.set(schema, Math.max(number, highest.get(schema) ?? 0))
  const statuses = migrations.map((migration) => {
    const row = byNumber.get(keyOf(migration))
    byNumber.delete(keyOf(migration))
    return statusOf(migration, row, highest.get(migration.schema))
  })
  return [...statuses, ...[...byNumber.values()].map(missing)]
}

/** Whether nothing may be applied because of it. */
export function isDrift({ state }: FileStatus): boolean {
  return state === 'edited' || state === 'renamed' || state === 'missing' || state === 'out-of-order'
}

/** What makes a file the same one, whatever its name and content. */
export function keyOf({ schema, number }: { readonly schema: string; readonly number: number }): string {
  return `${schema}/${number}`
}

function statusOf(migration: Migration, row: LedgerRow | undefined, highest: number | undefined): FileStatus {
  const { path, number } = migration
  if (row === undefined) {
    if (highest === undefined || number > highest) return { path, state: 'pending' }
    const detail = `number ${highest} of its schema is applied already; give it a higher number, or apply it with outOfOrder`
    return { path, state: 'out-of-order', detail }
  }
  const facts = factsOf(row)
  if (row.state === 'started')
    return {
      path,
      state: 'unfinished',
      detail: 'it was stopped in the middle; the next start finishes it',
      ...facts,
    }
  if (row.sha256 !== migration.sha256) {
    const detail = 'put back what was applied and write a new file, or accept it with repair'
    return { path, state: 'edited', detail, ...facts }
  }
  if (row.name === migration.name) return { path, state: 'applied', ...facts }
  const detail = `it was applied as ${pathOf(row)}; name it so again, or accept it with repair`
  return { path, state: 'renamed', detail, ...facts }
}

function missing(row: LedgerRow): FileStatus {
  const detail = 'it was applied and is not there any more; put it back, or forget it with repair'
  return { path: pathOf(row), state: 'missing', detail, ...factsOf(row) }
}

/** Zeros before the number are not kept; three digits are what most write. */
function pathOf({ schema, number, name }: LedgerRow): string {
  return `${schema}/${String(number).padStart(3, '0')}_${name}.sql`
}

function factsOf({ appliedAt, durationMs, appliedBy, appliedFrom, how }: LedgerRow) {
  return {
    ...(appliedAt !== undefined && { appliedAt }),
    ...(durationMs !== undefined && { durationMs }),
    appliedBy,
    appliedFrom,
    how,
  }
}
