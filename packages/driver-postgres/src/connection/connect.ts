import { InternalError, isSlotkeeperError, type SlotkeeperError, StoreError } from '@slotkeeper/core/driver'
import type pg from 'pg'

/** Where the database is and who asks. */
export interface PostgresConnection {
  /** Such as `postgresql://app@db.example:5432/app`. No message ever holds it. */
  readonly connectionString?: string
  /** Name, address, or the absolute path of a socket's directory. Default `localhost`. */
  readonly host?: string
  /** Default 5432. */
  readonly port?: number
  readonly database?: string
  readonly username?: string
  readonly password?: string | { reveal(): string }
  /** How long a connection may take to come about, in ms. Default 30,000. */
  readonly connectionTimeoutMs?: number
}

/** What pg is to connect with. */
export function connectionOptions(input: PostgresConnection): pg.ClientConfig {
  const { connectionString, host, port, database, username, password, connectionTimeoutMs = 30_000 } = input
  return {
    application_name: 'slotkeeper',
    ...{ keepAlive: true, keepAliveInitialDelayMillis: 10_000 },
    ...(connectionString !== undefined && { connectionString }),
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(database !== undefined && { database }),
    ...(username !== undefined && { user: username }),
    ...(password !== undefined && { password: typeof password === 'string' ? password : password.reveal() }),
    connectionTimeoutMillis: connectionTimeoutMs,
  }
}

type Code = ConstructorParameters<typeof StoreError>[0]

/** By the code that PostgreSQL gives, the longest beginning first. */
const CODES: readonly (readonly [string, Code])[] = [
  ['25006', 'SLOTKEEPER_STORE_READ_ONLY'],
  ['42501', 'SLOTKEEPER_STORE_PERMISSION'],
  ['3D000', 'SLOTKEEPER_STORE_PERMISSION'],
  ['42P01', 'SLOTKEEPER_SCHEMA_MISSING'],
  ['3F000', 'SLOTKEEPER_SCHEMA_MISSING'],
  ['42703', 'SLOTKEEPER_STORE_FOREIGN'],
  ['55P03', 'SLOTKEEPER_STORE_BUSY'],
  ['40001', 'SLOTKEEPER_STORE_BUSY'],
  ['40P01', 'SLOTKEEPER_STORE_BUSY'],
  ['53100', 'SLOTKEEPER_STORE_FULL'],
  ['28', 'SLOTKEEPER_STORE_PERMISSION'],
  ['08', 'SLOTKEEPER_STORE_UNAVAILABLE'],
  ['25P03', 'SLOTKEEPER_STORE_UNAVAILABLE'],
  ['53', 'SLOTKEEPER_STORE_UNAVAILABLE'],
  ['57', 'SLOTKEEPER_STORE_UNAVAILABLE'],
]

/** A failure with a code, whatever went wrong while `doing` something. */
export function coded(error: unknown, doing: string): SlotkeeperError {
  if (isSlotkeeperError(error)) return error
  const { cause } = error as { cause?: unknown }
  const told = cause ?? error
  const { code, severity } = told as { code?: unknown; severity?: unknown }
  const message = `${doing}: ${told instanceof Error ? told.message : String(told)}`
  if (typeof code !== 'string' || severity === undefined)
    return new StoreError('SLOTKEEPER_STORE_UNAVAILABLE', message, told)
  const known = CODES.find(([beginning]) => code.startsWith(beginning))?.[1]
  return known === undefined
    ? new InternalError(`${message} (${code})`, told)
    : new StoreError(known, message, told)
}
