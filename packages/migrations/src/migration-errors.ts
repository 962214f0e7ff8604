import { SlotkeeperError } from '@slotkeeper/core'
import type { FileStatus } from './compare.ts'
import type { Migration } from './migration.ts'
import type { ScriptError } from './script.ts'
import { sqlStateOf } from './store-failure.ts'

const NOT_IN_A_TRANSACTION = '25001'

/** PostgreSQL refused a file (`SLOTKEEPER_MIGRATION_FAILED`): where, and why. Nothing of it stays, and no later file was tried. */
export class MigrationFailedError extends SlotkeeperError {
  readonly path: string
  /** Which of the file's statements, counted from 1; `undefined`: all went well, and the commit did not. */
  readonly statement: number | undefined
  /** Where in the file, counted from 1, when PostgreSQL says so. */
  readonly line: number | undefined
  readonly column: number | undefined
  /** PostgreSQL's code, such as `42P01`. */
  readonly sqlState: string | undefined

  constructor(migration: Migration, error: ScriptError) {
    const { cause, completed } = error
    const statement = completed === undefined ? undefined : completed + 1
    const place = placeIn(migration.sql, (cause as { position?: unknown }).position)
    const sqlState = sqlStateOf(cause)
    const where = place === undefined ? '' : `, line ${place.line}, column ${place.column}`
    super(
      'SLOTKEEPER_MIGRATION_FAILED',
      `${migration.path}, ${statement === undefined ? 'at its commit' : `statement ${statement}`}${where}: ${error.message}${sqlState ? ` (${sqlState})` : ''}. ` +
        (migration.inTransaction
          ? 'The file was rolled back, and none after it was tried.'
          : 'The file runs in no transaction: the next start clears away what it left and tries it again.') +
        (migration.inTransaction && sqlState === NOT_IN_A_TRANSACTION
          ? ' Put that statement into a file of its own whose first line is `-- slotkeeper:no-transaction`.'
          : ''),
      { cause },
    )
    this.path = migration.path
    this.statement = statement
    this.line = place?.line
    this.column = place?.column
    this.sqlState = sqlState
  }
}

/** PostgreSQL counts characters, from 1, where JavaScript counts halves of some. */
function placeIn(sql: string, position: unknown): { line: number; column: number } | undefined {
  const characters = Number(position)
  if (!(characters >= 1)) return undefined
  let line = 1
  let column = 1
  let left = characters - 1
  for (const character of sql) {
    if (left-- === 0) break
    if (character === '\n') [line, column] = [line + 1, 1]
    else column++
  }
  return { line, column }
}

const MOST_TOLD = 20

/** The files are not those that were applied (`SLOTKEEPER_MIGRATION_DRIFT`): `files` has all that are wrong. Nothing was applied. */
export class MigrationDriftError extends SlotkeeperError {
  readonly files: readonly FileStatus[]

  constructor(files: readonly FileStatus[]) {
    const told = files
      .slice(0, MOST_TOLD)
      .map(({ path, state, detail }) => `  ${path} is ${WORDS[state]}: ${detail}.`)
    if (files.length > MOST_TOLD) told.push(`  … and ${files.length - MOST_TOLD} more.`)
    super('SLOTKEEPER_MIGRATION_DRIFT', `The files are not those that were applied:\n${told.join('\n')}`)
    this.files = files
  }
}

const WORDS: Readonly<Record<FileStatus['state'], string>> = {
  applied: 'applied',
  pending: 'pending',
  unfinished: 'not finished',
  edited: 'edited',
  renamed: 'renamed',
  missing: 'missing',
  'out-of-order': 'out of order',
}

/** Another process kept the lock for too long (`SLOTKEEPER_MIGRATION_LOCKED`). */
export class MigrationLockedError extends SlotkeeperError {
  constructor(key: bigint, waitedMs: number) {
    super(
      'SLOTKEEPER_MIGRATION_LOCKED',
      `Another process has applied migrations to this database for ${waitedMs} ms and still does (advisory lock ${key}).`,
    )
  }
}
