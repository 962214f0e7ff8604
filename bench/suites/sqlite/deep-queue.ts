import { closeSync, copyFileSync, fsyncSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { Manager, repository } from '@slotkeeper/core'
import { sqliteDriver } from '@slotkeeper/driver-sqlite'
import { type Case, type Context, type Measure, rateOf, valueNamed } from '../../harness/case.ts'
import { type PaceOptions, paceOf } from '../../harness/pace.ts'
import { acquiring, enqueue, manyRepositories, newRuns, passingOn, sameRuns } from '../pairs.ts'

const DEPTHS = { few: 10, many: 1_000_000 } as const
const slow: PaceOptions = { every: 16, seconds: 2, cpuBound: false }

const one = repository('bench/deep', { concurrencyLimit: 1 })

function open(context: Context, file: string): Manager {
  return new Manager({
    // Both sides alike; without waiting for the disk, what the depth costs shows best.
    driver: sqliteDriver({ path: join(context.directory, file), synchronous: 'normal' }),
  })
}

/** Fills a file, which every run takes a copy of. */
async function fill(context: Context, name: keyof typeof DEPTHS): Promise<void> {
  await using manager = open(context, `${name}.db`)
  const depth = context.quick ? Math.min(DEPTHS[name], 20_000) : DEPTHS[name]
  await enqueue(manager, one, depth + 1, newRuns('run'))
}

function behind(name: keyof typeof DEPTHS): Measure {
  return async (context) => {
    const copy = `${name}-${process.pid}.db`
    copyFileSync(join(context.directory, `${name}.db`), join(context.directory, copy))
    // Else the first syncs of the store would write the copy to the disk as well, which is longer the deeper the queue.
    const file = openSync(join(context.directory, copy), 'r+')
    fsyncSync(file)
    closeSync(file)
    await using manager = open(context, copy)
    const passing = await paceOf(context, passingOn(manager, one, newRuns('later')), slow)
    const beside = await paceOf(context, acquiring(manager, manyRepositories(), sameRuns('beside')), slow)
    return { ...passing, beside: beside.rate as number }
  }
}

/** Whether a pair costs more the longer the durable queue is, in its repository and in others of the same file. */
export const deepQueue: Case = {
  name: '1,000,000 waiting, durable',
  mostSeconds: 900,
  prepare: async (context) => {
    await fill(context, 'few')
    await fill(context, 'many')
  },
  subjects: { many: behind('many'), few: behind('few') },
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
