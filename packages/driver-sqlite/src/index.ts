/**
 * Slots in one file, shared by the processes of one machine.
 * @module @slotkeeper/driver-sqlite
 */
export type { SqliteDriverOptions } from './options.ts'
export { sqliteDriver } from './sqlite-driver.ts'
