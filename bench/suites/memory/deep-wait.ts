import { type Manager, repository, type Slot } from '@slotkeeper/core'
import { type Case, type Context, rateOf, type Sample } from '../../harness/case.ts'
import { paceOf } from '../../harness/pace.ts'
import { newRuns } from '../pairs.ts'
import { withMemory } from './memory-manager.ts'

const FEW = 10
const MANY = 1_000_000

/** One slot goes from one caller of `waitForSlot` to the next; whoever had it is followed by a new one at the end. */
async function passOn(manager: Manager, context: Context, depth: number): Promise<Sample> {
  const one = repository('bench/deep', { concurrencyLimit: 1 })
  const nextRun = newRuns('run')
  const join = () => manager.waitForSlot({ repository: one, run: nextRun() })
  let held = await join()
  const line: Promise<Slot>[] = Array.from({ length: depth }, join)
  let at = 0
  const sample = await paceOf(context, async (pace) => {
    while (pace.goesOn()) {
      await held.release()
      held = await (line[at] as Promise<Slot>)
      line[at] = join()
      at = (at + 1) % depth
    }
  })
  // Closing rejects them all.
  for (const waiter of line) waiter.catch(() => {})
  return sample
}

/** Whether a pair costs more the longer the line of callers is. */
export const deepWait: Case = {
  name: '1,000,000 waiting, waitForSlot',
  nodeOptions: ['--max-old-space-size=12000'],
  subjects: {
    many: withMemory((manager, context) => passOn(manager, context, context.quick ? MANY / 10 : MANY)),
    few: withMemory((manager, context) => passOn(manager, context, FEW)),
  },
  figures: [
    {
      unit: 'pairs/s',
      ours: rateOf('many'),
      baseline: { name: '10 waiting', of: rateOf('few') },
      goal: { atLeast: 0.85 },
    },
  ],
}
