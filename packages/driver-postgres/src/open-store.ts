import { isSlotkeeperError, StoreError } from '@slotkeeper/core/driver'
import { migrate } from '@slotkeeper/migrations'
import type pg from 'pg'
import { FlightError } from './flight.ts'
import { ask, type Keeping } from './holders.ts'
import { LAYOUT, migrationsOf } from './schema.ts'

/** Where the store is, and how to reach it. */
interface Place {
  readonly pool: pg.Pool
  readonly schema: string
  readonly keeping: Keeping
}

/** Tables or the schema are missing. */
const MISSING = new Set(['42P01', '3F000'])
/** A table has other columns than ours, or is no table. */
const FOREIGN = new Set(['42703', '42809'])
/** A table, an index or a type of that name is there. */
const TAKEN = new Set(['42P07', '42710'])
const OLDEST_SERVER = 130_000

/**
 * Makes the store where there is none, or brings it up to this release, unless it shall only be checked.
 * @throws StoreError when it is missing (`check`), newer, somebody else's, or on a server that will not do
 */
export async function openStore(
  place: Place,
  schema: 'migrate' | 'check',
  signal: AbortSignal | undefined,
): Promise<void> {
  const found = await lookAt(place, signal)
  if (found === LAYOUT) return
  if (found !== undefined && found > LAYOUT) throw tooNew(place.schema, found)
  if (schema === 'check')
    throw new StoreError(
      'SLOTKEEPER_SCHEMA_MISSING',
      found === undefined
        ? `The schema ${JSON.stringify(place.schema)} holds no store, and this program only checks. Let one that may make tables open it once.`
        : `The store in the schema ${JSON.stringify(place.schema)} has layout ${found}, this release needs ${LAYOUT}, and this program only checks. Let one that may change tables open it once.`,
    )
  await make(place, signal)
}

async function make({ pool, schema }: Place, signal: AbortSignal | undefined): Promise<void> {
  try {
    await migrate({
      pool,
      source: migrationsOf(schema),
      ledgerSchema: schema,
      set: '@slotkeeper/driver-postgres',
      ...(signal !== undefined && { signal }),
    })
  } catch (error) {
    if (isSlotkeeperError(error, 'SLOTKEEPER_MIGRATION_FAILED') && TAKEN.has(stateOf(error) ?? ''))
      throw new StoreError(
        'SLOTKEEPER_STORE_FOREIGN',
        `The schema ${JSON.stringify(schema)} holds tables of another program under names that the store needs (${error.message}). Nothing was changed; name another schema.`,
        error,
      )
    throw error
  }
}

/** The layout of the store that is there, if one is. */
async function lookAt({ keeping, schema }: Place, signal: AbortSignal | undefined): Promise<number | undefined> {
  try {
    const [row] = await ask(keeping, [{ statement: keeping.sql.about }], signal)
    if (row === undefined) throw foreign(schema)
    const [layout, version, number, , encoding] = row
    if (Number(number) < OLDEST_SERVER)
      throw unsuitable(`The server is PostgreSQL ${version}; 13 or newer is needed.`)
    if (encoding !== 'UTF8')
      throw unsuitable(
        `The database is in ${encoding}; keys can hold any character, which UTF8 needs. Make another database.`,
      )
    return Number(layout)
  } catch (error) {
    if (!(error instanceof FlightError)) throw error
    if (MISSING.has(error.state ?? '')) return undefined
    if (FOREIGN.has(error.state ?? '')) throw foreign(schema, error.cause)
    throw error
  }
}

function stateOf(error: Error & { readonly sqlState?: string }): string | undefined {
  return error.sqlState
}

function tooNew(schema: string, found: number): StoreError {
  return new StoreError(
    'SLOTKEEPER_SCHEMA_TOO_NEW',
    `The store in the schema ${JSON.stringify(schema)} has layout ${found}, this release knows ${LAYOUT}. Install the release of @slotkeeper/driver-postgres that made it, or a newer one.`,
  )
}

function foreign(schema: string, cause?: unknown): StoreError {
  return new StoreError(
    'SLOTKEEPER_STORE_FOREIGN',
    `The schema ${JSON.stringify(schema)} has a table "store" that is not Slotkeeper’s. It was left as it was; name another schema.`,
    cause,
  )
}

function unsuitable(message: string): StoreError {
  return new StoreError('SLOTKEEPER_STORE_UNSUITABLE', message)
}
