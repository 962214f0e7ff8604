import { setTimeout as sleep } from 'node:timers/promises'
import { postgresDriver } from '@slotkeeper/driver-postgres'
import { type Case, type Context, type Sample, valueNamed } from '../../harness/case.ts'
import { paceOf } from '../../harness/pace.ts'
import { acquiring, manyRepositories, newRuns } from '../pairs.ts'
import { writesFigures, writesSubjects } from '../writes.ts'
import { newDatabase, openManager, sql } from './database.ts'

/** Shorter than the default, so that some periods pass; a third of it is the time between heartbeats. */
const HOLDER_TTL_MS = 6000
const PERIOD_MS = HOLDER_TTL_MS / 3

/** Statements a period of a Manager that has nothing to do, as the server counts them. */
async function statements(context: Context): Promise<Sample> {
  const url = await newDatabase()
  await sql(url, 'CREATE EXTENSION pg_stat_statements')
  await using manager = openManager(url, { holderTtlMs: HOLDER_TTL_MS })
  await paceOf(context, acquiring(manager, manyRepositories(), newRuns('run')), {
    every: 1,
    seconds: 0.1,
    cpuBound: false,
  })
  await sleep(PERIOD_MS) // its last beat may be armed still
  const before = await calls(url)
  const periods = context.quick ? 2 : 5
  await sleep(periods * PERIOD_MS)
  return { idle: ((await calls(url)) - before) / periods }
}

async function calls(url: string): Promise<number> {
  const [row] = await sql(
    url,
    `SELECT coalesce(sum(calls), 0)::int AS calls FROM pg_stat_statements
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query NOT LIKE '%pg_stat_statements%'`,
  )
  return Number(row?.calls)
}

/** What is asked and written while nothing happens. */
export const writes: Case = {
  name: 'writes',
  mostRuns: 3,
  subjects: {
    ...writesSubjects(async () => ({
      driver: postgresDriver({ connectionString: await newDatabase() }),
    })),
    statements,
  },
  figures: [
    ...writesFigures,
    {
      name: 'idle, statements a period',
      unit: 'statements',
      ours: valueNamed('statements', 'idle'),
      goal: { atMost: 1 },
    },
  ],
}
