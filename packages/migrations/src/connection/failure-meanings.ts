import type { StoreError } from '@slotkeeper/core'

/** Which error of a store a failure is, and which setting to look at. */
export type Meaning = readonly [code: ConstructorParameters<typeof StoreError>[0], advice: string]

const UNAVAILABLE = 'SLOTKEEPER_STORE_UNAVAILABLE'
const PERMISSION = 'SLOTKEEPER_STORE_PERMISSION'
const TLS = 'SLOTKEEPER_STORE_TLS'
const MISSING = 'SLOTKEEPER_SCHEMA_MISSING'
const FOREIGN = 'SLOTKEEPER_STORE_FOREIGN'
const NOT_OURS = 'What is there is not what was made here. Name another schema or database.'

/** By the code that PostgreSQL gives, the longest beginning first. */
const STATES: readonly (readonly [string, ...Meaning])[] = [
  ['0A000', 'SLOTKEEPER_STORE_BUSY', 'Somebody changed the tables while they were used.'],
  ['25006', 'SLOTKEEPER_STORE_READ_ONLY', 'It only reads. Name the primary as the host (postgresql-host).'],
  [
    '25P03',
    UNAVAILABLE,
    'The server ended a transaction that stood still (idle_in_transaction_session_timeout).',
  ],
  ['25P04', UNAVAILABLE, 'The server ended a transaction that took too long (transaction_timeout).'],
  [
    '26000',
    'SLOTKEEPER_STORE_UNSUITABLE',
    'A pooler gave the statement to another session. Set max_prepared_statements in PgBouncer 1.21 or newer, or connect to PostgreSQL itself.',
  ],
  [
    '28P01',
    PERMISSION,
    'Check the username (postgresql-username) and the password (postgresql-password-file, postgresql-password or PGPASSWORD).',
  ],
  [
    '28',
    PERMISSION,
    'Check the username (postgresql-username), the mode of TLS (postgresql-ssl-mode), the client certificate (postgresql-ssl-cert), and pg_hba.conf of the server.',
  ],
  ['3D000', PERMISSION, 'Check the database (postgresql-database), or make it.'],
  ['42501', PERMISSION, 'Grant the user (postgresql-username) what the message names.'],
  ['40', 'SLOTKEEPER_STORE_BUSY', 'Others changed the same rows at the same time.'],
  ['53100', 'SLOTKEEPER_STORE_FULL', "The server's disk is full. Free some space."],
  [
    '53300',
    UNAVAILABLE,
    'The server has no connection left. Lower postgresql-max-connections, or raise max_connections of the server.',
  ],
  ['55P03', 'SLOTKEEPER_STORE_BUSY', 'Somebody else kept the lock.'],
  [
    '57014',
    UNAVAILABLE,
    'The statement was cancelled. If the server did it, raise the statement_timeout of the user (postgresql-username).',
  ],
  ['57', UNAVAILABLE, 'The server is stopping, starting, or ended the connection.'],
  ['58', UNAVAILABLE, "The server's system reports an error."],
  ['XX001', 'SLOTKEEPER_STORE_CORRUPT', 'Restore a backup.'],
  ['XX002', 'SLOTKEEPER_STORE_CORRUPT', 'An index is damaged: REINDEX it.'],
  [
    '08',
    UNAVAILABLE,
    'Check the host and the port (postgresql-host, postgresql-port), and whatever stands before the server.',
  ],
  ['53', UNAVAILABLE, 'The server has no memory or other means left.'],
  ['22', FOREIGN, NOT_OURS],
  ['23', FOREIGN, NOT_OURS],
  ['3F', MISSING, 'The schema is not there.'],
  ['42P01', MISSING, 'A table is not there: it was never made, or somebody dropped it.'],
  [
    '42',
    FOREIGN,
    'What is there is not what was made here: another program has tables of the same name, or somebody changed them. Name another schema or database.',
  ],
]

/** By the code that Node.js gives. Codes of TLS are known by their forms, below. */
const SYSTEM: Readonly<Record<string, string>> = {
  ENOTFOUND: 'There is no such host. Check the host (postgresql-host).',
  EAI_AGAIN: 'The name of the host (postgresql-host) cannot be looked up now.',
  ECONNREFUSED:
    'Nothing listens there. Check the host and the port (postgresql-host, postgresql-port), and whether the server runs.',
  ECONNRESET: 'The connection was cut.',
  EPIPE: 'The connection was cut.',
  ETIMEDOUT: 'Nothing answers there. Check the host and the port (postgresql-host, postgresql-port).',
  EHOSTUNREACH: 'There is no way to the host (postgresql-host).',
  ENETUNREACH: 'There is no way to the host (postgresql-host).',
  ENOENT: 'There is no such socket. Check the host and the port (postgresql-host, postgresql-port).',
  EACCES: 'This process may not use that socket. Check the host (postgresql-host).',
}

/** By the text of an error that has no code: those that pg makes itself, and those of PgBouncer, which are all of one code. */
const TEXTS: readonly (readonly [RegExp, ...Meaning])[] = [
  [
    /^timeout expired$|due to connection timeout/,
    UNAVAILABLE,
    'The server did not answer within the time for connecting. Check the host and the port (postgresql-host, postgresql-port), or raise postgresql-connection-timeout.',
  ],
  [
    /^timeout exceeded when trying to connect$/,
    UNAVAILABLE,
    'All connections of the pool were in use for as long as a connection may take. Raise its max (postgresql-max-connections).',
  ],
  [
    /does not support SSL/,
    TLS,
    'The server does not encrypt. Turn ssl on there, or set postgresql-ssl-mode to disable.',
  ],
  [
    /establishing an SSL connection/,
    TLS,
    'Whatever answers is no PostgreSQL that encrypts. Check the host and the port (postgresql-host, postgresql-port).',
  ],
  [
    /client password must be a/,
    PERMISSION,
    'The server asks for a password, and none was given: set postgresql-password-file, postgresql-password or PGPASSWORD.',
  ],
  [
    /^SASL/,
    PERMISSION,
    'The login failed half-way. Check that the host (postgresql-host) is the right server.',
  ],
  [
    /no such (database|user)|(authentication|password) failed|not allowed/i,
    PERMISSION,
    'Check the username, the password and the database (postgresql-username, postgresql-password-file, postgresql-database).',
  ],
]

const CERTIFICATE =
  /^(CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_(CA|PURPOSE)|PATH_LENGTH_|HOSTNAME_MISMATCH|ERR_TLS_CERT_)/

/** The meaning of what pg, the server, a pooler or Node.js threw; nothing for what none of them throws. */
export function meaningOf(error: unknown, state: string | undefined, text: string): Meaning | undefined {
  const named = TEXTS.find(([pattern]) => pattern.test(text))
  if (state === undefined) return named === undefined ? systemMeaning(error) : [named[1], named[2]]
  if (named !== undefined && state.startsWith('08')) return [named[1], named[2]]
  const known = STATES.find(([beginning]) => state.startsWith(beginning))
  return known === undefined ? undefined : [known[1], known[2]]
}

const PROGRAM = [TypeError, RangeError, ReferenceError, SyntaxError]

function systemMeaning(error: unknown): Meaning | undefined {
  if (error instanceof AggregateError) return systemMeaning(error.errors[0])
  const code = codeOf(error)
  if (CERTIFICATE.test(code))
    return [
      TLS,
      code === 'ERR_TLS_CERT_ALTNAME_INVALID'
        ? "The server's certificate is for another name. Check the host (postgresql-host), or set postgresql-ssl-mode to verify-ca."
        : "The server's certificate is not trusted. Check postgresql-ssl-root-cert, which must hold who signed it.",
    ]
  if (/^(ERR_SSL_|ERR_OSSL_|ERR_TLS_)|^EPROTO$/.test(code))
    return [
      TLS,
      'The two sides do not agree on TLS. Check the client certificate and its key (postgresql-ssl-cert, postgresql-ssl-key), and the settings ssl_… of the server.',
    ]
  if (code in SYSTEM) return [UNAVAILABLE, SYSTEM[code] as string]
  // What is wrong in the program itself is no failure of the store, and nobody should wait for it to pass.
  if (PROGRAM.some((kind) => error instanceof kind)) return undefined
  return [UNAVAILABLE, 'The connection is gone.']
}

/** The code that an error carries, whoever gave it; empty without one. */
export function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : ''
}
