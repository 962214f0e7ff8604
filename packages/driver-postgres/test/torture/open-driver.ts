import { postgresDriver } from '../../src/index.ts'

/** What the processes of the torture open. */
export function openDriver(store: string) {
  return postgresDriver({ connectionString: store, connectionTimeoutMs: 3000 })
}
