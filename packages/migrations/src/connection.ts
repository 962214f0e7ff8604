/**
 * For packages that talk to PostgreSQL: how to connect, and what a failure means.
 * @packageDocumentation
 */
export { addressOf, type ConnectionDefaults, connectionOptions } from './connection/connection-options.ts'
export type { PostgresConnection, PostgresServer } from './connection/postgres-server.ts'
export { placeOf } from './database.ts'
export { isConnectionLost, sqlStateOf, storeFailure } from './store-failure.ts'
