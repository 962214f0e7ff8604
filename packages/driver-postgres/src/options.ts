import { SlotkeeperError } from '@slotkeeper/core/driver'
import type { PostgresServer } from '@slotkeeper/migrations/connection'
import type pg from 'pg'

/** Where the database is, and how the driver uses it. */
export interface PostgresDriverOptions extends PostgresServer {
  /** A pool of yours instead of an address; it stays open when the driver is closed. Heartbeats and listening take a connection each beside it. */
  readonly pool?: pg.Pool
  /** The schema that holds the store; made at `open` where there is none. Default: `slotkeeper`. */
  readonly schema?: string
  /** The most connections of this driver, the ones for listening and heartbeats aside; 1 to 1000. Default: 10. */
  readonly maxConnections?: number
  /** How long a decision waits for a lock that somebody else holds, in ms, 1 to 60,000. Default: 5000. */
  readonly lockTimeoutMs?: number
  /** Appends every event to the table `slot_events`, in the transaction that it tells of. Default: false. */
  readonly history?: boolean
  /**
   * Whether to be told by the server (`LISTEN`), on a connection of its own. Without it, and behind a pooler that does not let it through,
   * the driver looks every second. Default: true.
   */
  readonly listen?: boolean
}

/** The options, checked and complete. */
export interface Settled {
  readonly connection: PostgresServer
  readonly pool: pg.Pool | undefined
  readonly schema: string
  readonly maxConnections: number
  readonly lockTimeoutMs: number
  readonly history: boolean
  readonly listen: boolean
}

/** PostgreSQL cuts longer names off. */
const MAX_NAME_BYTES = 63

/** @throws SlotkeeperError `SLOTKEEPER_INVALID_ARGUMENT` for an option that cannot be meant */
export function settleOptions(options: PostgresDriverOptions): Settled {
  const {
    pool,
    schema = 'slotkeeper',
    maxConnections = 10,
    lockTimeoutMs = 5000,
    history = false,
    listen = true,
    ...connection
  } = options
  if (typeof schema !== 'string' || schema === '' || schema.includes('\0'))
    throw wrong('schema', schema, 'it must be the name of a schema')
  if (Buffer.byteLength(schema) > MAX_NAME_BYTES)
    throw wrong('schema', schema, `it must be no longer than ${MAX_NAME_BYTES} bytes`)
  if (/^pg_/i.test(schema)) throw wrong('schema', schema, 'names that begin with pg_ are PostgreSQL’s own')
  mustBeWhole('maxConnections', maxConnections, 1, 1000)
  mustBeWhole('lockTimeoutMs', lockTimeoutMs, 1, 60_000)
  for (const [name, value] of Object.entries({ history, listen }))
    if (typeof value !== 'boolean') throw wrong(name, value, 'it must be true or false')
  return { connection, pool, schema, maxConnections, lockTimeoutMs, history, listen }
}

function mustBeWhole(option: string, found: unknown, from: number, to: number): void {
  if (Number.isInteger(found) && (found as number) >= from && (found as number) <= to) return
  throw wrong(option, found, `it must be a whole number from ${from} to ${to}`)
}

function wrong(option: string, found: unknown, expected: string): SlotkeeperError {
  return new SlotkeeperError(
    'SLOTKEEPER_INVALID_ARGUMENT',
    `postgresDriver ${option} is ${JSON.stringify(found) ?? 'absent'}: ${expected}.`,
  )
}
