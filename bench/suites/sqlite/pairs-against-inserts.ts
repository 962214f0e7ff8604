import { type Case, type Figure, rateOf } from '../../harness/case.ts'
import { type PaceOptions, paceOf } from '../../harness/pace.ts'
import { acquiring, manyRepositories, newRuns } from '../pairs.ts'
import { bareInserts } from './bare-inserts.ts'
import { withSqlite } from './sqlite-manager.ts'

const IN_FLIGHT = 32
const slow: PaceOptions = { every: 16, seconds: 2, cpuBound: false }

interface Goals {
  readonly alone: number
  readonly inFlight: number
}

/** A pair is two durable steps, so it is held against half of the inserts. */
function against(synchronous: 'NORMAL' | 'FULL', goals: Goals): Case {
  const options = synchronous === 'NORMAL' ? ({ synchronous: 'normal' } as const) : {}
  const baseline = { name: 'inserts ÷ 2', of: { subject: 'inserts', value: 'rate', dividedBy: 2 } }
  const figure = (name: string, subject: string, atLeast: number): Figure => ({
    name,
    unit: 'pairs/s',
    ours: rateOf(subject),
    baseline,
    goal: { atLeast },
  })
  return {
    name: `WAL ${synchronous}`,
    subjects: {
      alone: withSqlite(
        (manager, context) => paceOf(context, acquiring(manager, manyRepositories(), newRuns('run')), slow),
        options,
      ),
      inserts: (context) => bareInserts(context, synchronous),
      inFlight: withSqlite(
        (manager, context) =>
          paceOf(context, acquiring(manager, manyRepositories(), newRuns('run')), {
            ...slow,
            loops: IN_FLIGHT,
          }),
        options,
      ),
    },
    figures: [
      figure('one at a time', 'alone', goals.alone),
      figure(`${IN_FLIGHT} in flight`, 'inFlight', goals.inFlight),
    ],
  }
}

/** A power cut may take back the last commits. */
export const normal: Case = against('NORMAL', { alone: 0.3, inFlight: 4 })

/** Every commit is on the disk before anybody hears of it. */
export const full: Case = against('FULL', { alone: 0.8, inFlight: 15 })
