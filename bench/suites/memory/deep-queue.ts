import { type Manager, repository } from '@slotkeeper/core'
import { type Case, type Context, rateOf, type Sample, valueNamed } from '../../harness/case.ts'
import { paceOf } from '../../harness/pace.ts'
import { acquiring, enqueue, manyRepositories, newRuns, passingOn, sameRuns } from '../pairs.ts'
import { withMemory } from './memory-manager.ts'

const FEW = 10
const MANY = 1_000_000

async function behind(manager: Manager, context: Context, depth: number): Promise<Sample> {
  const one = repository('bench/deep', { concurrencyLimit: 1 })
  const nextRun = newRuns('run')
  await enqueue(manager, one, depth + 1, nextRun)
  const passing = await paceOf(context, passingOn(manager, one, nextRun))
  const beside = await paceOf(context, acquiring(manager, manyRepositories(), sameRuns('beside')))
  return { ...passing, beside: beside.rate as number }
}

/** Whether a pair costs more the longer the durable queue is, in its repository and in others of the same store. */
export const deepQueue: Case = {
  name: '1,000,000 waiting, durable',
  nodeOptions: ['--max-old-space-size=12000'],
  subjects: {
    many: withMemory((manager, context) => behind(manager, context, context.quick ? MANY / 10 : MANY)),
    few: withMemory((manager, context) => behind(manager, context, FEW)),
  },
  figures: [
    {
      name: 'enqueue, finish, claim',
      unit: 'pairs/s',
      ours: rateOf('many'),
      baseline: { name: '10 waiting', of: rateOf('few') },
      goal: { atLeast: 0.85 },
    },
    {
      name: 'acquireSlot in other repositories',
      unit: 'pairs/s',
      ours: valueNamed('many', 'beside'),
      baseline: { name: '10 waiting', of: valueNamed('few', 'beside') },
      goal: { atLeast: 0.85 },
    },
  ],
}
