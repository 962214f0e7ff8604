/**
 * PostgreSQL migrations: plain SQL files, applied once and in order, with a ledger that knows what was applied.
 * @packageDocumentation
 */
export { type BaselineOptions, baseline } from './baseline.ts'
export type { FileStatus } from './compare.ts'
export type { DatabaseOptions } from './database.ts'
export { type EnsureDatabaseOptions, ensureDatabase } from './ensure-database.ts'
export type { LedgerOptions } from './ledger.ts'
export type { WaitOptions } from './locked.ts'
export {
  type MigrateOptions,
  type MigrateResult,
  migrate,
  status,
  type VerifyResult,
  verify,
} from './migrate.ts'
export type { Migration, MigrationFile } from './migration.ts'
export { MigrationDriftError, MigrationFailedError, MigrationLockedError } from './migration-errors.ts'
export type { OrderOptions } from './order-migrations.ts'
export { type RepairOptions, repair } from './repair.ts'
export type { ScriptError } from './script.ts'
export {
  configMapSource,
  type DirectorySourceOptions,
  directorySource,
  listSource,
  type MigrationSource,
} from './source.ts'
export type { MigrationsOptions } from './workplace.ts'
