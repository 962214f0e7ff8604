/**
 * Slots in a PostgreSQL database, shared over a network.
 * @module @slotkeeper/driver-postgres
 */
export { type AssertHeldOptions, assertHeld } from './assert-held.ts'
export type { PostgresDriverOptions } from './options.ts'
export { postgresDriver } from './postgres-driver.ts'
