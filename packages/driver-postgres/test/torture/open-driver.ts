import { postgresDriver } from '../../src/index.ts'

/** What the processes of the torture open: each has fewer connections than calls at once. */
export function openDriver(store: string) {
  return postgresDriver({ connectionString: store, connectionTimeoutMs: 3000, maxConnections: 2 })
}
