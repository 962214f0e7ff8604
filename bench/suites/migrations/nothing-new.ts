import { dirname } from 'node:path'
import { directorySource, migrate } from '@slotkeeper/migrations'
import { runner } from 'node-pg-migrate'
import pg from 'pg'
import { type Case, type Context, type Sample, valueNamed } from '../../harness/case.ts'
import { filesIn, newDatabase, writeFiles } from './files.ts'

/** What a service pays at each of its starts. */
export const nothingNew: Case = {
  name: '1,000 files, all applied',
  prepare: writeFiles,
  mostSeconds: 300,
  subjects: {
    ours: (context) =>
      second(async (connectionString) => {
        await migrate({ connectionString, source: directorySource(dirname(filesIn(context))) })
      }),
    'node-pg-migrate': (context) => second((url) => nodePgMigrate(context, url)),
  },
  figures: [
    { name: 'round trips', unit: 'round trips', ours: valueNamed('ours', 'roundTrips'), goal: { atMost: 2 } },
    {
      name: 'starts',
      unit: 'starts/s',
      ours: valueNamed('ours', 'rate'),
      baseline: { name: 'node-pg-migrate', of: valueNamed('node-pg-migrate', 'rate') },
    },
  ],
}

async function nodePgMigrate(context: Context, databaseUrl: string): Promise<void> {
  await runner({
    ...{
      databaseUrl,
      dir: filesIn(context),
      direction: 'up',
      migrationsTable: 'done',
      count: Number.POSITIVE_INFINITY,
    },
    ...{ singleTransaction: true, log: () => undefined },
  })
}

/** The best of some starts after the first, which applies everything. Round trips are the queries that pg is asked for. */
async function second(start: (url: string) => Promise<void>): Promise<Sample> {
  const url = await newDatabase()
  await start(url)
  let queries = 0
  const { query } = pg.Client.prototype
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    queries++
    return Reflect.apply(query, this, args)
  } as typeof query
  const times: number[] = []
  for (let time = 0; time < 5; time++) {
    queries = 0
    const began = performance.now()
    await start(url)
    times.push(performance.now() - began)
  }
  return { rate: 1000 / Math.min(...times), roundTrips: queries }
}
