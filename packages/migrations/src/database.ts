import { InvalidArgumentError } from '@slotkeeper/core'
import pg from 'pg'
import { close } from './ask-once.ts'
import { connectionOptions } from './connection/connection-options.ts'
import { storeFailure } from './store-failure.ts'

/** The database to work in. One of the two. */
export interface DatabaseOptions {
  /** Such as `postgresql://app@db.example:5432/app?sslmode=verify-full`, as libpq reads it. No message ever holds it. */
  readonly connectionString?: string
  /** A pool of yours: one connection is taken out of it, and thrown away afterwards, for files change their session. */
  readonly pool?: pg.Pool
  /** How long a connection may take to come about, in ms, when it is made from `connectionString`. Default 10,000. */
  readonly connectTimeoutMs?: number
}

/** A connection for one piece of work. */
export interface Connection {
  readonly client: pg.ClientBase
  /** How to connect once more to the same server, such as for cancelling. */
  readonly config: pg.ClientConfig
  /** Never fails. */
  close(): Promise<void>
}

/**
 * Connects.
 * @throws SlotkeeperError (`SLOTKEEPER_INVALID_ARGUMENT`, or the failure of the store as `storeFailure` tells it)
 */
export async function connect(options: DatabaseOptions): Promise<Connection> {
  if (options.pool !== undefined) return await fromPool(options.pool)
  const config = configOf(options)
  const client = new pg.Client(config)
  client.on('error', nothing) // whatever is under way is told by its own failure
  try {
    await client.connect()
  } catch (error) {
    void close(client)
    throw storeFailure(error, `No connection to ${placeOf(config)}`)
  }
  return { client, config, close: () => close(client) }
}

async function fromPool(pool: pg.Pool): Promise<Connection> {
  const client = await pool.connect().catch((error: unknown) => {
    throw storeFailure(error, 'No connection from the pool')
  })
  client.on('error', nothing)
  return { client, config: optionsOf(pool), close: async () => client.release(true) }
}

/** A pool hides the password from whoever copies its options. */
function optionsOf({ options }: pg.Pool): pg.ClientConfig {
  return { ...options, ...(options.password !== undefined && { password: options.password }) }
}

/** The connection string, taken apart. */
export function configOf({ connectionString, connectTimeoutMs }: DatabaseOptions): pg.ClientConfig {
  if (connectionString === undefined)
    throw new InvalidArgumentError('The database is missing: give a connectionString or a pool.')
  const defaults = { applicationName: 'slotkeeper-migrate', connectionTimeoutMs: 10_000 }
  const config = connectionOptions(connectionString, defaults)
  return connectTimeoutMs === undefined ? config : { ...config, connectionTimeoutMillis: connectTimeoutMs }
}

/** For messages: server and database, no more. */
export function placeOf({ host, port, database }: pg.ClientConfig): string {
  const server = host?.includes(':') ? `[${host}]` : (host ?? 'localhost')
  return `the database ${JSON.stringify(database ?? '')} at ${server}:${port ?? 5432}`
}

function nothing(): void {}
