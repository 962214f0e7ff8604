import { repository } from '@slotkeeper/core'
import { type Case, type Context, type Measure, rateOf } from '../../harness/case.ts'
import { paceOf } from '../../harness/pace.ts'
import { acquiring, newRuns } from '../pairs.ts'
import { connected, newDatabase, openManager } from './database.ts'

/** With half of it more for warming up, the snapshot is this old at the end. */
const SECONDS = 10 / 1.5
const LOOPS = 10

/** Pairs in one repository, whose rows change at every pair; old versions stay as long as somebody's snapshot sees them. */
function hotPairs(isOpen: boolean): Measure {
  return async (context: Context) => {
    const url = await newDatabase()
    await using manager = openManager(url)
    await manager.health()
    const other = await connected(url)
    if (isOpen) await other.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()')
    const hot = repository('bench/hot', { concurrencyLimit: 64 })
    const sample = await paceOf(context, acquiring(manager, [hot], newRuns('run')), {
      ...{ loops: LOOPS, every: 16, seconds: SECONDS, cpuBound: false },
    })
    await other.end()
    return sample
  }
}

/** What a transaction that somebody leaves open costs: nothing in these tables can be cleaned up meanwhile. */
export const openTransaction: Case = {
  name: 'a transaction elsewhere open for 10 s',
  subjects: { open: hotPairs(true), normal: hotPairs(false) },
  figures: [
    {
      unit: 'pairs/s',
      ours: rateOf('open'),
      baseline: { name: 'without it', of: rateOf('normal') },
      goal: { atLeast: 0.5 },
    },
  ],
}
