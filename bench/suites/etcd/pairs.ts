import type { Manager } from '@slotkeeper/core'
import {
  type Case,
  type Context,
  type Figure,
  type Measure,
  rateOf,
  type Sample,
} from '../../harness/case.ts'
import { type Pace, paceOf } from '../../harness/pace.ts'
import { acquiring, knownRepositories, newRuns } from '../pairs.ts'
import { slow } from '../slow.ts'
import { bareTxns, locks, sharedPuts } from './baselines.ts'
import { newPrefix, openManager, withEtcd } from './cluster.ts'

/** Pairs of one Manager, so many calls at once. */
function inFlight(loops: number): Measure {
  return withEtcd(async (manager, context) =>
    paceOf(context, acquiring(manager, await knownRepositories(manager), newRuns('run')), {
      ...slow,
      loops,
    }),
  )
}

/** The same number of calls at once, none of which travels with another. */
function apart(loops: number): Measure {
  return async (context: Context): Promise<Sample> => {
    const prefix = newPrefix()
    const managers = Array.from({ length: loops }, () => openManager(prefix))
    const all = await knownRepositories(managers[0] as Manager) // one makes the store, the others find it
    const works = managers.map((manager, at) => {
      // Each begins elsewhere, as loops of one Manager do.
      const from = Math.floor((at * all.length) / loops)
      return acquiring(manager, [...all.slice(from), ...all.slice(0, from)], newRuns(`run-${at}`))
    })
    const work = (pace: Pace, at: number) => works[at]?.(pace) as Promise<void>
    const sample = await paceOf(context, work, { ...slow, loops })
    await Promise.all(managers.map((manager) => manager.close()))
    return sample
  }
}

function figure(loops: number, baseline: string, name: string, atLeast: number, dividedBy = 1): Figure {
  return {
    name: `${loops} in flight, against ${name}`,
    unit: 'pairs/s',
    ours: rateOf(`ours${loops}`),
    baseline: { name, of: { subject: baseline, value: 'rate', dividedBy } },
    goal: { atLeast },
  }
}

/** 1,000 repositories in turn, a limit that is never reached. A pair is two durable steps, so it is held against half of them. */
export const pairs: Case = {
  name: 'pairs',
  mostSeconds: 180,
  subjects: {
    ours1: inFlight(1),
    txns: bareTxns,
    locks,
    ours32: inFlight(32),
    apart32: apart(32),
    puts: sharedPuts,
  },
  figures: [
    figure(1, 'txns', 'compare and put ÷ 2', 0.9, 2),
    figure(1, 'locks', 'lock() of etcd3', 2),
    figure(32, 'apart32', 'one by one', 8),
    figure(32, 'puts', 'puts, 128 in a transaction, ÷ 2', 0.8, 2),
  ],
}
