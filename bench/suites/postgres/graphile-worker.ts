import { Logger, run } from 'graphile-worker'
import type { Context, Sample } from '../../harness/case.ts'
import { type Pace, paceOf } from '../../harness/pace.ts'
import { slow } from '../slow.ts'
import { newDatabase } from './database.ts'

const silent = new Logger(() => () => undefined)

/** Jobs a second through graphile-worker, so many at once: each loop adds one and waits until it was run. */
export async function workerJobs(context: Context, loops: number): Promise<Sample> {
  const ends = new Map<number, () => void>()
  const runner = await run({
    connectionString: await newDatabase(),
    concurrency: loops,
    noHandleSignals: true,
    logger: silent,
    taskList: { bench: async (payload) => ends.get((payload as { id: number }).id)?.() },
  })
  let made = 0
  const loop = async (pace: Pace) => {
    while (pace.goesOn()) {
      const id = made++
      const ended = new Promise<void>((resolve) => ends.set(id, resolve))
      await runner.addJob('bench', { id })
      await ended
      ends.delete(id)
    }
  }
  const sample = await paceOf(context, loop, { ...slow, loops, every: 4 })
  await runner.stop()
  return sample
}
