import type { Secret } from './secret.ts'

/** The stores that settings can name. */
export type DriverName = 'etcd' | 'postgresql' | 'memory' | 'sqlite'

/** How severe an event is at least, to reach the logger. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Where etcd is. */
export interface EtcdSettings {
  /** `host:port`, `http://host:port` or `https://host:port`, as the user wrote them; one at least when the driver is etcd. */
  readonly endpoints: readonly string[]
  readonly dialTimeoutMs: number
  /** Together with `password`, or neither. */
  readonly username?: string
  readonly password?: Secret
  /** Present exactly when every endpoint is reached by TLS: a TLS setting was given, or an endpoint says `https://`. */
  readonly tls?: EtcdTlsSettings
  /** How long a durable slot lives with nobody keeping it. */
  readonly leaseTtlMs: number
}

/** TLS towards etcd; files are named by path. Without `caFile` the authorities of Node.js count. */
export interface EtcdTlsSettings {
  readonly caFile?: string
  /** Together with `keyFile`, or neither. */
  readonly certFile?: string
  readonly keyFile?: string
  /** The name that the certificate must carry, where it is not the host of the endpoint. */
  readonly serverName?: string
}

/** Where PostgreSQL is. */
export interface PostgresqlSettings {
  /** A name, an address, or the absolute path of a socket directory. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly username: string
  readonly password?: Secret
  /** Read at every connect, so that a rotated Secret is followed; it goes before `password`. One line break at its end is dropped. */
  readonly passwordFile?: string
  readonly ssl: PostgresqlSslSettings
  readonly maxConnections: number
  /** The schema of the store. */
  readonly schema: string
  readonly connectionTimeoutMs: number
  /** How long a durable slot lives with nobody keeping it. */
  readonly leaseTtlMs: number
}

/** TLS towards PostgreSQL; files are named by path. */
export interface PostgresqlSslSettings {
  /** `require` encrypts and verifies nothing; `verify-ca` checks the signer; `verify-full` also the name. */
  readonly mode: 'disable' | 'require' | 'verify-ca' | 'verify-full'
  /** Who may sign the server's certificate; absent, the authorities of Node.js. */
  readonly rootCert?: string
  /** Together with `key`, or neither. */
  readonly cert?: string
  readonly key?: string
}

/** Where SQLite is. */
export interface SqliteSettings {
  /** The database file; present whenever the driver is SQLite. */
  readonly path?: string
  /** How long a durable slot lives with nobody keeping it. */
  readonly leaseTtlMs: number
}

/** The memory driver's settings. */
export interface MemorySettings {
  /** How long a durable slot lives with nobody keeping it. */
  readonly leaseTtlMs: number
}

/** Something that works and should not stay so. */
export interface SettingsWarning {
  /** The key as the user wrote it. */
  readonly key: string
  /** Never holds a secret value. */
  readonly message: string
}

/**
 * The whole configuration, checked, defaults filled in. Frozen, all the way down. Every section is there, whichever driver is
 * selected. Passwords are `Secret`s, so that printing it shows none.
 */
export interface Settings {
  /** False: no slots; runs go on by annotations alone, and `createManager` refuses. */
  readonly enabled: boolean
  /** The driver that is really used: `memory` also where `etcd-mode` asks for it. */
  readonly driver: DriverName
  readonly holderTtlMs: number
  readonly claimTimeoutMs: number
  readonly callTimeoutMs: number
  readonly logLevel: LogLevel
  readonly etcd: EtcdSettings
  readonly postgresql: PostgresqlSettings
  readonly memory: MemorySettings
  readonly sqlite: SqliteSettings
  /** To be logged when the settings come into use; `createManager` does it. */
  readonly warnings: readonly SettingsWarning[]
}
