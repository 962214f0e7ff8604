// The same for what goes to PostgreSQL through pg, whose types are those of Node.js.
import { isSlotkeeperError } from '@slotkeeper/core'
import {
  directorySource,
  type FileStatus,
  listSource,
  type MigrateOptions,
  MigrationFailedError,
  migrate,
  status,
} from '@slotkeeper/migrations'
import type { Pool } from 'pg'

export async function upgrade(pool: Pool): Promise<readonly string[]> {
  const options: MigrateOptions = { pool, source: directorySource('migrations') }
  try {
    const { applied } = await migrate(options)
    return applied.map(({ path }) => path)
  } catch (error) {
    if (error instanceof MigrationFailedError && isSlotkeeperError(error)) return [error.code]
    throw error
  }
}

export function known(connectionString: string): Promise<readonly FileStatus[]> {
  return status({ connectionString, source: listSource([]) })
}

// @ts-expect-error a source is made by a function
export const nowhere = migrate({ source: 'migrations' })
