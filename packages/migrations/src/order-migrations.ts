import { SlotkeeperError } from '@slotkeeper/core'
import { type Migration, type MigrationFile, readMigration } from './migration.ts'

/** How files are put in order. */
export interface OrderOptions {
  /** Schemas that go before all others, in this order. The others follow by name. Default: none. */
  readonly schemaOrder?: readonly string[]
  /** A source without a file is an error, because it is most often a wrong path or an empty volume; true allows it. */
  readonly allowEmpty?: boolean
}

/** All migrations of a source in the order in which they apply. */
export interface OrderedMigrations {
  readonly migrations: readonly Migration[]
  /** What looks like a mistake and is none for sure: a number left out. */
  readonly warnings: readonly string[]
}

/** Larger numbers are times; nobody expects those to follow each other. */
const LARGEST_COUNTED = 1_000_000
const MOST_TOLD = 20

/**
 * Reads the files of a source and puts them in order: by schema, then by number.
 * @throws SlotkeeperError (`SLOTKEEPER_MIGRATION_SOURCE_INVALID`) with everything that is wrong
 */
export function orderMigrations(
  files: readonly MigrationFile[],
  options: OrderOptions = {},
): OrderedMigrations {
  const problems: string[] = []
  const migrations: Migration[] = []
  for (const file of files) {
    const read = readMigration(file)
    if (typeof read === 'string') problems.push(read)
    else migrations.push(read)
  }
  migrations.sort(comparison(options.schemaOrder ?? []))
  for (const [before, after] of neighbours(migrations))
    if (before.number === after.number)
      problems.push(`${before.path} and ${after.path} have the same number in the same schema.`)
  if (files.length === 0 && options.allowEmpty !== true)
    problems.push(
      'There is no migration at all. Is this the right place? An empty one has to be allowed explicitly.',
    )
  if (problems.length > 0) throw invalid(problems)
  return { migrations, warnings: gapsIn(migrations) }
}

function invalid(problems: readonly string[]): SlotkeeperError {
  const told = problems.slice(0, MOST_TOLD).map((problem) => `  ${problem}`)
  if (problems.length > MOST_TOLD) told.push(`  … and ${problems.length - MOST_TOLD} more.`)
  return new SlotkeeperError(
    'SLOTKEEPER_MIGRATION_SOURCE_INVALID',
    `The migrations cannot be used:\n${told.join('\n')}`,
  )
}

/** By code units: the same order on every machine, whatever its language. */
function comparison(schemaOrder: readonly string[]): (a: Migration, b: Migration) => number {
  const rank = (schema: string) => {
    const at = schemaOrder.indexOf(schema)
    return at === -1 ? schemaOrder.length : at
  }
  return (a, b) =>
    rank(a.schema) - rank(b.schema) ||
    compareText(a.schema, b.schema) ||
    a.number - b.number ||
    compareText(a.name, b.name)
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** Each two that follow each other in one schema. */
function neighbours(migrations: readonly Migration[]): [Migration, Migration][] {
  return migrations.flatMap((after, at) => {
    const before = migrations[at - 1]
    return before?.schema === after.schema ? [[before, after] as [Migration, Migration]] : []
  })
}

function gapsIn(migrations: readonly Migration[]): string[] {
  return neighbours(migrations)
    .filter(([before, after]) => after.number > before.number + 1 && after.number < LARGEST_COUNTED)
    .map(([before, after]) => `Between ${before.path} and ${after.path} numbers are left out.`)
}
