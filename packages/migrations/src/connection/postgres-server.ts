import type { PostgresqlSslSettings, Secret } from '@slotkeeper/core'

/**
 * How to reach a server: a connection string such as `postgresql://app@db.example:5432/app?sslmode=verify-full`, or its parts, such as the
 * section `postgresql` of `parseSettings`.
 */
export type PostgresConnection = string | PostgresServer

/** The parts of a connection. Each is taken as it is: nothing in them is syntax. */
export interface PostgresServer {
  /** A connection string for what the other parts leave open; they go before it. No message ever holds it. */
  readonly connectionString?: string
  /** A name, an address, or the absolute path of a socket directory. Default `PGHOST`, then `localhost`. */
  readonly host?: string
  /** Default `PGPORT`, then 5432. */
  readonly port?: number
  /** Default `PGDATABASE`, then the name of the user. */
  readonly database?: string
  /** Default `PGUSER`, then who runs this process. */
  readonly username?: string
  /** Default `PGPASSWORD`. */
  readonly password?: Secret | string
  /** Read at every connect, so that a rotated Secret is followed; it goes before `password`. One line break at its end is dropped. */
  readonly passwordFile?: string
  /**
   * TLS; files are named by path and read again at every connect. Default `PGSSLMODE`, `PGSSLROOTCERT`, `PGSSLCERT`, `PGSSLKEY`, then
   * `{ mode: 'disable' }`.
   */
  readonly ssl?: PostgresqlSslSettings
  /** How long a connection may take to come about, in ms, up to the end of the login. Default 30,000. */
  readonly connectionTimeoutMs?: number
  /** What `pg_stat_activity` shows. Default `PGAPPNAME`, then `slotkeeper`. */
  readonly applicationName?: string
  /** Settings of the session, as `-c name=value`. Default `PGOPTIONS`. */
  readonly options?: string
}
