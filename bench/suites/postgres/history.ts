import { type Case, type Measure, rateOf } from '../../harness/case.ts'
import { paceOf } from '../../harness/pace.ts'
import { acquiring, knownRepositories, newRuns } from '../pairs.ts'
import { slow } from '../slow.ts'
import { newDatabase, openManager } from './database.ts'

/** Pairs with the history option or without it, so many calls at once. */
function pairs(history: boolean, loops: number): Measure {
  return async (context) => {
    await using manager = openManager(await newDatabase(), {}, { history })
    return await paceOf(context, acquiring(manager, await knownRepositories(manager), newRuns('run')), {
      ...slow,
      loops,
    })
  }
}

const LOOPS = [1, 32] as const

/** What the history option costs: every pair goes the long way, and writes two events. */
export const history: Case = {
  name: 'history',
  subjects: Object.fromEntries(
    LOOPS.flatMap((loops) => [
      [`with${loops}`, pairs(true, loops)],
      [`without${loops}`, pairs(false, loops)],
    ]),
  ),
  figures: LOOPS.map((loops) => ({
    name: `${loops} in flight`,
    unit: 'pairs/s',
    ours: rateOf(`with${loops}`),
    baseline: { name: 'without history', of: rateOf(`without${loops}`) },
  })),
}
