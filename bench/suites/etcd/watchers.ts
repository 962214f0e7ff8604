import { type Case, valueNamed } from '../../harness/case.ts'
import { manyRepositories } from '../pairs.ts'
import { counted, withEtcd } from './cluster.ts'

/** Whether those who watch share what the server has to keep for it. */
export const watchers: Case = {
  name: '1,000 watchers of one Manager',
  mostRuns: 1,
  subjects: {
    ours: withEtcd(async (manager) => {
      await manager.health()
      const before = await counted()
      await Promise.all(
        manyRepositories().map(
          (repository) =>
            new Promise<void>((resolve) => {
              // Its first word is that it is told from now on.
              manager.queueManager.setupWatcher(repository, () => resolve())
            }),
        ),
      )
      const after = await counted()
      const more = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0)
      return {
        streams: more('etcd_debugging_mvcc_watch_stream_total'),
        watches: more('etcd_debugging_mvcc_watcher_total'),
      }
    }),
  },
  figures: [
    { name: 'streams', unit: 'streams', ours: valueNamed('ours', 'streams'), goal: { atMost: 1 } },
    { name: 'watches', unit: 'watches', ours: valueNamed('ours', 'watches'), goal: { atMost: 1 } },
  ],
}
