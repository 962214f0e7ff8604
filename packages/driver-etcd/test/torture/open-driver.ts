import { etcdDriver } from '../../src/index.ts'

/** What the processes of the torture open. */
export function openDriver(store: string) {
  return etcdDriver({ endpoints: store.split(','), dialTimeoutMs: 3000 })
}
