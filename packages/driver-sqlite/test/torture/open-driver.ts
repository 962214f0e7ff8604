import { sqliteDriver } from '../../src/index.ts'

/** What the processes of the torture open. */
export function openDriver(store: string) {
  return sqliteDriver({ path: store, synchronous: 'normal' })
}
