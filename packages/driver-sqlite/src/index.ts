export type { SqliteDriverOptions } from './options.ts'
export { sqliteDriver } from './sqlite-driver.ts'
