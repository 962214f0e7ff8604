import { Semaphore } from 'async-mutex'
import { Sema } from 'async-sema'
import pLimit from 'p-limit'
import PQueue from 'p-queue'
import { type Case, type Context, type Figure, rateOf, type Sample } from '../../harness/case.ts'
import { type Pace, paceOf } from '../../harness/pace.ts'
import { acquiring, manyRepositories, newRuns, sameRuns, withSlot } from '../pairs.ts'
import { withMemory } from './memory-manager.ts'

const LIMITS = 1000
const LIMIT = 64
const empty = async () => {}

/** One limiter for each of as many repositories as ours has, used in turn. */
function inTurn<T>(make: () => T, loop: (next: () => T) => (pace: Pace) => Promise<void>) {
  return (context: Context): Promise<Sample> => {
    const all = Array.from({ length: LIMITS }, make)
    let at = 0
    return paceOf(
      context,
      loop(() => all[at++ % LIMITS] as T),
    )
  }
}

const baselines = ['p-limit', 'two empty awaits', 'async-sema', 'async-mutex', 'p-queue'] as const

/** The two that the goals speak of. */
const goals = { 'p-limit': { atLeast: 1.1 }, 'two empty awaits': { atLeast: 0.3 } } as const

function against(subject: string, name: string): Figure[] {
  return baselines.map((baseline) => ({
    name,
    unit: 'pairs/s',
    ours: rateOf(subject),
    baseline: { name: baseline, of: rateOf(baseline) },
    ...(baseline in goals && { goal: goals[baseline as keyof typeof goals] }),
  }))
}

/** Nobody waits: what a slot costs that is free. */
export const oneAtATime: Case = {
  name: 'one at a time',
  subjects: {
    same: withMemory((manager, context) =>
      paceOf(context, acquiring(manager, manyRepositories(), sameRuns('run'))),
    ),
    new: withMemory((manager, context) =>
      paceOf(context, acquiring(manager, manyRepositories(), newRuns('run'))),
    ),
    withSlot: withMemory((manager, context) =>
      paceOf(context, withSlot(manager, manyRepositories(), sameRuns('run'))),
    ),
    'p-limit': inTurn(
      () => pLimit(LIMIT),
      (next) => async (pace) => {
        while (pace.goesOn()) await next()(empty)
      },
    ),
    'two empty awaits': (context) =>
      paceOf(context, async (pace) => {
        while (pace.goesOn()) {
          await empty()
          await empty()
        }
      }),
    'async-sema': inTurn(
      () => new Sema(LIMIT),
      (next) => async (pace) => {
        while (pace.goesOn()) {
          const sema = next()
          await sema.acquire()
          sema.release()
        }
      },
    ),
    'async-mutex': inTurn(
      () => new Semaphore(LIMIT),
      (next) => async (pace) => {
        while (pace.goesOn()) {
          const [, release] = await next().acquire()
          release()
        }
      },
    ),
    'p-queue': inTurn(
      () => new PQueue({ concurrency: LIMIT }),
      (next) => async (pace) => {
        while (pace.goesOn()) await next().add(empty)
      },
    ),
  },
  figures: [
    ...against('same', 'acquireSlot, runs that come again'),
    ...against('new', 'acquireSlot, every run new'),
    ...against('withSlot', 'withSlot'),
  ],
}
