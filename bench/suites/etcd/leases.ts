import type { Repository } from '@slotkeeper/core'
import { type Case, valueNamed } from '../../harness/case.ts'
import { manyRepositories, newRuns } from '../pairs.ts'
import { callsBegun, withEtcd } from './cluster.ts'

/** Whether slots cost leases, each of which a server keeps, counts down and writes to its log. */
export const leases: Case = {
  name: 'leases',
  mostRuns: 1,
  subjects: {
    ours: withEtcd(async (manager) => {
      const repositories = manyRepositories()
      const nextRun = newRuns('run')
      const pair = async (repository: Repository) => {
        const slot = await manager.waitForSlot({ repository, run: nextRun() })
        await slot.release()
      }
      // The first one opens the holder, which has a lease.
      await pair(repositories[0] as Repository)
      const before = await callsBegun()
      await Promise.all(repositories.map(pair))
      const after = await callsBegun()
      return { granted: after.LeaseGrant - before.LeaseGrant }
    }),
  },
  figures: [
    {
      name: 'granted for 1,000 pairs',
      unit: 'leases',
      ours: valueNamed('ours', 'granted'),
      goal: { atMost: 0 },
    },
  ],
}
