import { Secret } from './secret.ts'
import type { DriverName, Settings } from './settings.ts'

/** Where a driver's code is. */
export interface DriverPackage {
  readonly specifier: string
  /** The export that makes a driver of its options. */
  readonly factory: string
}

/** The package of every driver that settings can name. */
export const driverPackages: Readonly<Record<DriverName, DriverPackage>> = {
  etcd: { specifier: '@slotkeeper/driver-etcd', factory: 'etcdDriver' },
  postgresql: { specifier: '@slotkeeper/driver-postgres', factory: 'postgresDriver' },
  memory: { specifier: '@slotkeeper/driver-memory', factory: 'memoryDriver' },
  sqlite: { specifier: '@slotkeeper/driver-sqlite', factory: 'sqliteDriver' },
}

/** The environment, as far as options depend on it. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * What the selected driver's factory is given: its section of the settings without `leaseTtlMs`, which is the Manager's.
 *
 * | factory | options |
 * |---|---|
 * | `etcdDriver` | `{ endpoints, dialTimeoutMs, username?, password?, tls?: { caFile?, certFile?, keyFile?, serverName? } }` |
 * | `postgresDriver` | `{ host, port, database, username, password?, passwordFile?, ssl: { mode, rootCert?, cert?, key? }, maxConnections, schema, connectionTimeoutMs }` |
 * | `sqliteDriver` | `{ path }` |
 * | `memoryDriver` | `{}` |
 *
 * Passwords are `Secret`s: `reveal()` tells them. Certificates and keys are paths. For PostgreSQL without `password` and
 * `passwordFile`, `PGPASSWORD` gives the password, as it does for PostgreSQL's own tools.
 */
export function driverOptions(settings: Settings, env: Environment): object {
  const { leaseTtlMs, ...options } = settings[settings.driver]
  if (settings.driver !== 'postgresql') return options
  const { password, passwordFile } = settings.postgresql
  if (password !== undefined || passwordFile !== undefined || !env.PGPASSWORD) return options
  return { ...options, password: new Secret(env.PGPASSWORD) }
}
