/**
 * Slots in a PostgreSQL database, shared over a network.
 * @module @slotkeeper/driver-postgres
 */
export type { PostgresConnection } from './connection/connect.ts'
export type { PostgresDriverOptions } from './options.ts'
export { postgresDriver } from './postgres-driver.ts'
