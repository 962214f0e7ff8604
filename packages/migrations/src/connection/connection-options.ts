import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { InvalidArgumentError, StoreError } from '@slotkeeper/core'
import type pg from 'pg'
import { parseConnectionString } from './connection-string.ts'
import type { PostgresConnection, PostgresServer } from './postgres-server.ts'
import { sslSettings } from './ssl-settings.ts'
import { tlsOptions } from './tls-options.ts'

/** What one kind of connection has where nothing else is said. */
export type ConnectionDefaults = Pick<PostgresServer, 'connectionTimeoutMs' | 'applicationName'>

const TIMEOUT_MS = 30_000
/** A peer that is gone without a word is found out within minutes, not hours. */
const KEEP_ALIVE_MS = 10_000

/**
 * Options for a client or a pool of pg. Nothing of the connection is spliced into a text: every part goes to the server as it is. The
 * password is asked for, and files are read, at every connect. What is left out comes from the environment, by the names that PostgreSQL's
 * own tools use; for TLS too.
 * @throws InvalidArgumentError for what cannot be meant, without a secret; StoreError `SLOTKEEPER_STORE_PERMISSION` for a certificate
 * that cannot be read
 */
export function connectionOptions(
  connection: PostgresConnection,
  defaults: ConnectionDefaults = {},
): pg.ClientConfig {
  const server = wholeOf(typeof connection === 'string' ? { connectionString: connection } : connection)
  const { env } = process
  const username = server.username ?? (env.PGUSER || nameOfUser())
  const ssl =
    server.ssl ??
    sslSettings('The environment (PGSSLMODE, PGSSLROOTCERT, PGSSLCERT, PGSSLKEY)', {
      mode: env.PGSSLMODE,
      rootCert: env.PGSSLROOTCERT,
      cert: env.PGSSLCERT,
      key: env.PGSSLKEY,
    })
  const password = passwordOf(server)
  const options = server.options ?? env.PGOPTIONS
  return {
    host: noNul('host', server.host ?? (env.PGHOST || 'localhost')),
    port: portOf(server.port ?? Number(env.PGPORT || 5432)),
    user: noNul('username', username),
    database: noNul('database', server.database ?? (env.PGDATABASE || username)),
    ...(password !== undefined && { password }),
    ssl: ssl === undefined ? false : tlsOptions(ssl),
    application_name: noNul(
      'applicationName',
      server.applicationName ?? (env.PGAPPNAME || (defaults.applicationName ?? 'slotkeeper')),
    ),
    ...(options && { options: noNul('options', options) }),
    connectionTimeoutMillis: server.connectionTimeoutMs ?? defaults.connectionTimeoutMs ?? TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  }
}

function wholeOf({ connectionString, ...parts }: PostgresServer): PostgresServer {
  if (connectionString === undefined) return parts
  const given = Object.entries(parts).filter(([, part]) => part !== undefined)
  return { ...parseConnectionString(connectionString), ...Object.fromEntries(given) }
}

function nameOfUser(): string {
  try {
    return userInfo().username
  } catch {
    // A container may run as a number that has no name.
    throw new InvalidArgumentError('The connection has no username: name one, or set PGUSER.')
  }
}

/** Always a function: asked at each connect, and nothing that prints the options shows what it knows. */
function passwordOf({ password, passwordFile }: PostgresServer): () => string | Promise<string> {
  if (passwordFile !== undefined) return () => readPassword(passwordFile)
  return () => {
    const text = typeof password === 'object' ? password.reveal() : (password ?? process.env.PGPASSWORD ?? '')
    return noNul('password', text)
  }
}

async function readPassword(path: string): Promise<string> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new StoreError(
      'SLOTKEEPER_STORE_PERMISSION',
      `The password file ${JSON.stringify(path)} (postgresql-password-file) cannot be read: ${(cause as Error).message}. Mount it, or let this process read it.`,
      cause,
    )
  }
  return noNul('password', text.replace(/\r?\n$/, ''))
}

/** In the protocol a NUL ends a text, and what follows it would be read as another parameter. */
function noNul(name: string, text: string): string {
  if (typeof text === 'string' && !text.includes('\0')) return text
  throw new InvalidArgumentError(`The ${name} of the connection must be a text without a NUL character.`)
}

function portOf(port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port
  throw new InvalidArgumentError('The port of the connection must be a whole number from 1 to 65535.')
}

/** How to name a connection again, as a connection string without secrets: user, server and database, no more. */
export function addressOf(connection: PostgresConnection): string {
  const { host = '', port, database = '', user = '' } = connectionOptions(connection)
  const name = host.startsWith('/') ? encodeURIComponent(host) : host.includes(':') ? `[${host}]` : host
  return `postgresql://${encodeURIComponent(user)}@${name}:${port}/${encodeURIComponent(database)}`
}
