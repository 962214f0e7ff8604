import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from '@slotkeeper/core'
import { type Case, type Context, type Measure, rateOf, valueNamed } from '../../harness/case.ts'
import { paceOf } from '../../harness/pace.ts'
import { enqueue, newRuns, passingOn } from '../pairs.ts'
import { slow } from '../slow.ts'
import { newPrefix, openManager } from './cluster.ts'

const DEPTHS = { few: 10, many: 200_000 } as const
const one = repository('bench/deep', { concurrencyLimit: 1 })
const MIB = 2 ** 20

async function fill(context: Context, name: keyof typeof DEPTHS): Promise<void> {
  const prefix = newPrefix()
  writeFileSync(join(context.directory, name), prefix)
  await using manager = openManager(prefix, { callTimeoutMs: 600_000 })
  const depth = context.quick ? Math.min(DEPTHS[name], 5000) : DEPTHS[name]
  await enqueue(manager, one, depth + 1, newRuns('run'))
}

/** A queue that a run joins for each that leaves it, so that it is as long at the end as at the beginning. */
function behind(name: keyof typeof DEPTHS): Measure {
  return async (context) => {
    await using manager = openManager(readFileSync(join(context.directory, name), 'utf8'))
    const sample = await paceOf(context, passingOn(manager, one, newRuns(`later-${process.pid}`)), slow)
    return { ...sample, mib: process.memoryUsage.rss() / MIB }
  }
}

/** Whether a pair costs more the longer the durable queue is, in time and in memory. */
export const deepQueue: Case = {
  name: '200,000 waiting',
  mostSeconds: 1800,
  prepare: async (context) => {
    for (const name of ['few', 'many'] as const) await fill(context, name)
  },
  subjects: { many: behind('many'), few: behind('few') },
  figures: [
    {
      unit: 'pairs/s',
      ours: rateOf('many'),
      baseline: { name: '10 waiting', of: rateOf('few') },
      goal: { atLeast: 0.9 },
    },
    {
      name: 'memory of the process',
      unit: 'MiB',
      ours: valueNamed('many', 'mib'),
      baseline: { name: '10 waiting', of: valueNamed('few', 'mib') },
      goal: { atMost: 1.1 },
    },
  ],
}
