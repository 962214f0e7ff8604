import { setTimeout as sleep } from 'node:timers/promises'
import { repository } from '@slotkeeper/core'
import { type Case, type Context, type Sample, valueNamed } from '../../harness/case.ts'
import { writesFigures, writesSubjects } from '../writes.ts'
import { callsBegun, newPrefix, openDriver, openManager } from './cluster.ts'

/** Shorter than the default, so that some periods pass; a third of it is the time between heartbeats. */
const HOLDER_TTL_MS = 6000
const PERIOD_MS = HOLDER_TTL_MS / 3

/** Calls of a Manager that is asked for nothing, as the server counts them: while it holds a slot, and while it holds none. */
async function calls({ quick }: Context): Promise<Sample> {
  await using manager = openManager(newPrefix(), { holderTtlMs: HOLDER_TTL_MS })
  const periods = quick ? 4 : 12
  const eachPeriod = async () => {
    const before = await callsBegun()
    await sleep(periods * PERIOD_MS)
    const after = await callsBegun()
    const count = (of: typeof after) => Object.values(of).reduce((sum, each) => sum + each, 0)
    return {
      keepAlives: (after.LeaseKeepAlive - before.LeaseKeepAlive) / periods,
      all: (count(after) - count(before)) / periods,
    }
  }
  const slot = await manager.waitForSlot({
    repository: repository('bench/held', { concurrencyLimit: 1 }),
    run: 'bench/run',
  })
  await sleep(PERIOD_MS) // what came with the first slot is over
  const held = await eachPeriod()
  if (!slot.isHeld) throw new Error('The slot was lost while calls were counted.')
  await slot.release()
  await sleep(2 * HOLDER_TTL_MS) // its holder has run out, and that is settled
  const idle = await eachPeriod()
  return { keepAlives: held.keepAlives, others: held.all - held.keepAlives, idle: idle.all }
}

/** What is asked and written while nothing happens. */
export const writes: Case = {
  name: 'writes',
  mostRuns: 3,
  subjects: { ...writesSubjects(() => ({ driver: openDriver(newPrefix()) })), calls },
  figures: [
    ...writesFigures,
    {
      name: 'a slot held, keep-alives a period',
      unit: 'calls',
      ours: valueNamed('calls', 'keepAlives'),
      goal: { atMost: 1.12 },
    },
    {
      name: 'a slot held, other calls a period',
      unit: 'calls',
      ours: valueNamed('calls', 'others'),
    },
    { name: 'idle, calls a period', unit: 'calls', ours: valueNamed('calls', 'idle'), goal: { atMost: 0 } },
  ],
}
