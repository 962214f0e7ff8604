import { repository } from '@slotkeeper/core'
import { type Case, type Context, type Measure, rateOf, type Sample } from '../../harness/case.ts'
import { paceOf } from '../../harness/pace.ts'
import { acquiring, enqueue, manyRepositories, newRuns, passingOn, sameRuns } from '../pairs.ts'
import { slow } from '../slow.ts'
import { newDatabase, openManager, prepareDatabase, preparedDatabase } from './database.ts'

const DEPTHS = { few: 10, many: 1_000_000 } as const
const one = repository('bench/deep', { concurrencyLimit: 1 })

async function fill(url: string, context: Context, name: keyof typeof DEPTHS): Promise<void> {
  await using manager = openManager(url, { callTimeoutMs: 120_000 })
  const depth = context.quick ? Math.min(DEPTHS[name], 20_000) : DEPTHS[name]
  await enqueue(manager, one, depth + 1, newRuns(`run-${process.pid}`))
}

/** A queue that a run joins for each that leaves it, so that it is as long at the end as at the beginning. */
function behind(name: keyof typeof DEPTHS): Measure {
  return async (context) => {
    await using manager = openManager(preparedDatabase(context, name))
    return await paceOf(context, passingOn(manager, one, newRuns(`later-${process.pid}`)), slow)
  }
}

/** The same by connections that knew the tables when nothing was in them. */
function plannedEmpty(name: keyof typeof DEPTHS): Measure {
  return async (context): Promise<Sample> => {
    const url = await newDatabase()
    await using manager = openManager(url)
    const first = repository('bench/first', { concurrencyLimit: 1 })
    await enqueue(manager, first, DEPTHS.few + 1, newRuns('first'))
    await paceOf(context, acquiring(manager, manyRepositories(), sameRuns('pair')), { ...slow, loops: 32 })
    await paceOf(context, passingOn(manager, first, newRuns('next')), slow)
    await fill(url, context, name)
    return await paceOf(context, passingOn(manager, one, newRuns('later')), slow)
  }
}

/** Whether a pair costs more the longer the durable queue is: enqueue one, finish one, claim the next. */
export const deepQueue: Case = {
  name: '1,000,000 waiting',
  mostSeconds: 900,
  prepare: async (context) => {
    for (const name of ['few', 'many'] as const)
      await fill(await prepareDatabase(context, name), context, name)
  },
  subjects: { many: behind('many'), few: behind('few') },
  figures: [
    {
      unit: 'pairs/s',
      ours: rateOf('many'),
      baseline: { name: '10 waiting', of: rateOf('few') },
      goal: { atLeast: 0.9 },
    },
  ],
}

/** The same on tables that were empty when the connections first planned. */
export const deepQueuePlannedEmpty: Case = {
  name: '1,000,000 waiting, planned on empty tables',
  mostSeconds: 900,
  mostRuns: 2,
  subjects: { many: plannedEmpty('many'), few: plannedEmpty('few') },
  figures: [
    {
      unit: 'pairs/s',
      ours: rateOf('many'),
      baseline: { name: '10 waiting', of: rateOf('few') },
      goal: { atLeast: 0.9 },
    },
  ],
}
