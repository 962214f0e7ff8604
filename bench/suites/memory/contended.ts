import { repository } from '@slotkeeper/core'
import { Semaphore } from 'async-mutex'
import { Sema } from 'async-sema'
import pLimit from 'p-limit'
import PQueue from 'p-queue'
import { type Case, type Figure, rateOf } from '../../harness/case.ts'
import { type PaceOptions, paceOf } from '../../harness/pace.ts'
import { newRuns, sameRuns, waiting, withSlot } from '../pairs.ts'
import { withMemory } from './memory-manager.ts'

const LIMIT = 8
const many: PaceOptions = { loops: 64 }
const empty = async () => {}
const hot = () => [repository('bench/hot', { concurrencyLimit: LIMIT })]

const baselines = ['p-limit', 'async-sema', 'async-mutex', 'p-queue'] as const
const goals = { 'p-limit': { atLeast: 0.8 }, 'async-sema': { atLeast: 0.4 } } as const

function against(subject: string, name: string): Figure[] {
  return baselines.map((baseline) => ({
    name,
    unit: 'pairs/s',
    ours: rateOf(subject),
    baseline: { name: baseline, of: rateOf(baseline) },
    ...(baseline in goals && { goal: goals[baseline as keyof typeof goals] }),
  }))
}

/** 64 loops want 8 slots of one repository: what a slot costs that is passed on. */
export const contended: Case = {
  name: '64 waiters on limit 8',
  subjects: {
    same: withMemory((manager, context) => paceOf(context, waiting(manager, hot(), sameRuns('run')), many)),
    new: withMemory((manager, context) => paceOf(context, waiting(manager, hot(), newRuns('run')), many)),
    withSlot: withMemory((manager, context) =>
      paceOf(context, withSlot(manager, hot(), sameRuns('run')), many),
    ),
    'p-limit': (context) => {
      const limit = pLimit(LIMIT)
      return paceOf(
        context,
        async (pace) => {
          while (pace.goesOn()) await limit(empty)
        },
        many,
      )
    },
    'async-sema': (context) => {
      const sema = new Sema(LIMIT)
      return paceOf(
        context,
        async (pace) => {
          while (pace.goesOn()) {
            await sema.acquire()
            sema.release()
          }
        },
        many,
      )
    },
    'async-mutex': (context) => {
      const semaphore = new Semaphore(LIMIT)
      return paceOf(
        context,
        async (pace) => {
          while (pace.goesOn()) {
            const [, release] = await semaphore.acquire()
            release()
          }
        },
        many,
      )
    },
    'p-queue': (context) => {
      const queue = new PQueue({ concurrency: LIMIT })
      return paceOf(
        context,
        async (pace) => {
          while (pace.goesOn()) await queue.add(empty)
        },
        many,
      )
    },
  },
  figures: [
    ...against('same', 'waitForSlot, runs that come again'),
    ...against('new', 'waitForSlot, every run new'),
    ...against('withSlot', 'withSlot'),
  ],
}
