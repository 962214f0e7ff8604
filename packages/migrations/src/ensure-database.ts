import { setTimeout as sleep } from 'node:timers/promises'
import { StoreError } from '@slotkeeper/core'
import pg from 'pg'
import { askOnce } from './ask-once.ts'
import { configOf, type DatabaseOptions, placeOf } from './database.ts'
import { identifier } from './sql-text.ts'
import { sqlStateOf, storeFailure } from './store-failure.ts'

/** How to make sure of a database. */
export interface EnsureDatabaseOptions extends Pick<DatabaseOptions, 'connectTimeoutMs'> {
  /** Names the database, and a user who may make it if it is missing. */
  readonly connectionString: string
  /** The database to connect to for making the other one. Default `postgres`. */
  readonly maintenanceDatabase?: string
  /** The encoding that the database must have. Default `UTF8`. */
  readonly encoding?: string
}

const NO_SUCH_DATABASE = '3D000'
/** Another process makes it, or has made it: known by name, by its unique index, or by the template being copied. */
const MADE_BY_OTHERS = new Set(['42P04', '23505', '55006'])
const TRIES = 20
/** It takes moments; a server that does not answer must not keep this process. */
const MAKING_MS = 60_000

/**
 * Makes the database when it is missing, and checks its encoding. Answers whether it was made by this call. Several processes may do so
 * at once; one of them makes it.
 * @throws StoreError: `SLOTKEEPER_STORE_UNSUITABLE` for another encoding, `SLOTKEEPER_STORE_PERMISSION` when the user may not make
 * it, `SLOTKEEPER_STORE_UNAVAILABLE`
 */
export async function ensureDatabase(options: EnsureDatabaseOptions): Promise<{ readonly created: boolean }> {
  const { encoding = 'UTF8', maintenanceDatabase = 'postgres', connectTimeoutMs = 10_000 } = options
  const config = configOf(options)
  const database = config.database ?? config.user ?? ''
  let created = false
  for (let tries = 1; ; tries++) {
    const found = await encodingOf(config, connectTimeoutMs)
    if (found === encoding) return { created }
    if (found !== undefined)
      throw new StoreError(
        'SLOTKEEPER_STORE_UNSUITABLE',
        `The encoding of ${placeOf(config)} is ${found}; ${encoding} is needed. Make another database.`,
      )
    try {
      // template0 is the only one that may be copied to any encoding.
      const create = `CREATE DATABASE ${identifier(database)} ENCODING ${pg.escapeLiteral(encoding)} TEMPLATE template0`
      await askOnce({ ...config, database: maintenanceDatabase }, create, MAKING_MS)
      created = true
    } catch (error) {
      if (!MADE_BY_OTHERS.has(sqlStateOf(error) ?? '') || tries === TRIES)
        throw storeFailure(error, `${placeOf(config)} is missing and cannot be made`)
      await sleep(50 * tries)
    }
  }
}

/** `undefined`: there is no such database. */
async function encodingOf(config: pg.ClientConfig, ms: number): Promise<string | undefined> {
  try {
    const { rows } = await askOnce(config, 'SHOW server_encoding', ms)
    return String(rows[0]?.server_encoding)
  } catch (error) {
    if (sqlStateOf(error) === NO_SUCH_DATABASE) return undefined
    throw storeFailure(error, `No connection to ${placeOf(config)}`)
  }
}
