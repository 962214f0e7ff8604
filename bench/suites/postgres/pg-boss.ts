import PgBoss from 'pg-boss'
import type { Context, Sample } from '../../harness/case.ts'
import { type Pace, paceOf } from '../../harness/pace.ts'
import { slow } from '../slow.ts'
import { newDatabase } from './database.ts'

const QUEUE = 'bench'

/** Jobs a second through pg-boss, so many at once: each loop sends one, takes one and completes it. */
export async function bossJobs(context: Context, loops: number): Promise<Sample> {
  const boss = new PgBoss({ connectionString: await newDatabase(), supervise: false, schedule: false })
  boss.on('error', (error) => {
    throw error
  })
  await boss.start()
  await boss.createQueue(QUEUE)
  const loop = async (pace: Pace) => {
    while (pace.goesOn()) {
      await boss.send(QUEUE, {})
      const [job] = await boss.fetch(QUEUE)
      // Whoever finds nothing has had its job taken by another loop, which completes it.
      if (job !== undefined) await boss.complete(QUEUE, job.id)
    }
  }
  const sample = await paceOf(context, loop, { ...slow, loops })
  await boss.stop({ graceful: false })
  return sample
}
