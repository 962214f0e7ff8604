import { sqliteDriver } from '../../src/index.ts'

/** A driver that the torture's workers cannot open. */
export function openDriver(store: string) {
  if (process.argv[1]?.includes('torture')) throw new Error('only one process may open it')
  return sqliteDriver({ path: store, synchronous: 'normal' })
}
