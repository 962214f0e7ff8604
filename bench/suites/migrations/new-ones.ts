import { execFile } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { directorySource, migrate } from '@slotkeeper/migrations'
import { runner } from 'node-pg-migrate'
import { type Case, type Context, rateOf } from '../../harness/case.ts'
import { filesIn, filesPerSecond, writeFiles } from './files.ts'

/** All of them with each file in a transaction of its own; node-pg-migrate puts all files into one unless it is told not to. */
export const newOnes: Case = {
  name: '1,000 small files',
  prepare: writeFiles,
  mostSeconds: 300,
  subjects: {
    ours: (context) =>
      filesPerSecond(context, async (connectionString) => {
        await migrate({ connectionString, source: directorySource(dirname(filesIn(context))) })
      }),
    'node-pg-migrate': (context) =>
      filesPerSecond(context, async (databaseUrl) => {
        await runner({
          ...{
            databaseUrl,
            dir: filesIn(context),
            direction: 'up',
            migrationsTable: 'done',
            count: Number.POSITIVE_INFINITY,
          },
          ...{ singleTransaction: false, log: () => undefined },
        })
      }),
    psql: (context) => filesPerSecond(context, (url) => psql(context, url)),
  },
  figures: [
    {
      name: 'against node-pg-migrate',
      unit: 'files/s',
      ours: rateOf('ours'),
      baseline: { name: 'node-pg-migrate', of: rateOf('node-pg-migrate') },
      goal: { atLeast: 1 },
    },
    {
      name: 'against psql',
      unit: 'files/s',
      ours: rateOf('ours'),
      baseline: { name: 'one session of psql', of: rateOf('psql') },
    },
  ],
}

/** One session, fed with the files one after the other: it keeps no ledger. */
async function psql(context: Context, url: string): Promise<void> {
  const names = readdirSync(filesIn(context)).sort()
  const script = join(context.directory, `psql-${process.pid}.sql`)
  writeFileSync(
    script,
    names.map((name) => `BEGIN;\n\\i ${join(filesIn(context), name)}\nCOMMIT;\n`).join(''),
  )
  const { TEST_POSTGRES_BIN: bin, TEST_POSTGRES_LIBRARIES: libraries } = process.env
  if (bin === undefined)
    throw new Error(process.env.TEST_POSTGRES_15_PROBLEM ?? 'TEST_POSTGRES_BIN is missing.')
  const env = { ...process.env, ...(libraries && { LD_LIBRARY_PATH: libraries }) }
  const args = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', script, url]
  await promisify(execFile)(join(bin, 'psql'), args, { env, maxBuffer: 2 ** 26 })
}
