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
import { newDatabase, oneByOne, withPostgres } from './database.ts'
import { workerJobs } from './graphile-worker.ts'
import { bareInserts, unnestInserts } from './inserts.ts'
import { bossJobs } from './pg-boss.ts'

/** Pairs of one Manager, so many calls at once. */
function inFlight(loops: number): Measure {
  return withPostgres(async (manager, context) =>
    paceOf(context, acquiring(manager, await knownRepositories(manager), newRuns('run')), {
      ...slow,
      loops,
    }),
  )
}

/** The same number of calls at once, none of which travels with another. */
function apart(loops: number): Measure {
  return async (context: Context): Promise<Sample> => {
    await using managers = await oneByOne(await newDatabase(), loops)
    const all = await knownRepositories(managers.at(0))
    const works = Array.from({ length: loops }, (_, at) => {
      // Each begins elsewhere, as loops of one Manager do.
      const from = Math.floor((at * all.length) / loops)
      return acquiring(managers.at(at), [...all.slice(from), ...all.slice(0, from)], newRuns(`run-${at}`))
    })
    return await paceOf(context, (pace: Pace, at) => works[at]?.(pace) as Promise<void>, { ...slow, loops })
  }
}

/** A pair is two durable steps, so it is held against half of the inserts. */
function figure(loops: number, baseline: string, name: string, atLeast?: number, dividedBy = 1): Figure {
  return {
    name: `${loops} in flight, against ${name}`,
    unit: 'pairs/s',
    ours: rateOf(`ours${loops}`),
    baseline: { name, of: { subject: baseline, value: 'rate', dividedBy } },
    ...(atLeast !== undefined && { goal: { atLeast } }),
  }
}

/** 1,000 repositories in turn, a limit that is never reached. */
export const pairs: Case = {
  name: 'pairs',
  mostSeconds: 180,
  subjects: {
    ours1: inFlight(1),
    inserts1: (context) => bareInserts(context, 1),
    ours10: inFlight(10),
    inserts10: (context) => bareInserts(context, 10),
    ours32: inFlight(32),
    apart32: apart(32),
    ours256: inFlight(256),
    apart256: apart(256),
    unnest: unnestInserts,
  },
  figures: [
    figure(1, 'inserts1', 'inserts ÷ 2', 0.65, 2),
    figure(10, 'inserts10', 'inserts on 10 connections ÷ 2', 1.05, 2),
    figure(32, 'apart32', 'one by one', 2.5),
    figure(256, 'apart256', 'one by one', 5.5),
    figure(256, 'unnest', 'unnest of 256 rows ÷ 2', 0.25, 2),
  ],
}

/** What a queue of jobs on the same server does with a job of no work: sent, taken, completed. */
export const jobs: Case = {
  name: 'jobs',
  mostSeconds: 180,
  subjects: {
    ours1: inFlight(1),
    boss1: (context) => bossJobs(context, 1),
    worker1: (context) => workerJobs(context, 1),
    ours32: inFlight(32),
    boss32: (context) => bossJobs(context, 32),
    worker32: (context) => workerJobs(context, 32),
  },
  figures: [
    figure(1, 'boss1', 'pg-boss', 3),
    figure(32, 'boss32', 'pg-boss', 20),
    figure(1, 'worker1', 'graphile-worker'),
    figure(32, 'worker32', 'graphile-worker'),
  ],
}
