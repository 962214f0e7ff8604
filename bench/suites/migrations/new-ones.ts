import { execFile } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { directorySource, migrate } from '@slotkeeper/migrations'
import { runner } from 'node-pg-migrate'
import { type Case, type Context, valueNamed } from '../../harness/case.ts'
import { filesIn, filesPerSecond, writeFiles } from './files.ts'

/** Each file in a transaction of its own; node-pg-migrate puts all files into one unless it is told not to. */
export const newOnes: Case = {
  name: '1,000 small files',
  prepare: writeFiles,
  mostSeconds: 600,
  subjects: {
    'in turns': (context) => filesPerSecond(context, { ours, nodePgMigrate, psql }),
  },
  figures: [
    {
      name: 'against node-pg-migrate',
      unit: 'files/s',
      ours: valueNamed('in turns', 'ours'),
      baseline: { name: 'node-pg-migrate', of: valueNamed('in turns', 'nodePgMigrate') },
      goal: { atLeast: 1 },
    },
    {
      name: 'against psql',
      unit: 'files/s',
      ours: valueNamed('in turns', 'ours'),
      baseline: { name: 'one session of psql', of: valueNamed('in turns', 'psql') },
    },
  ],
}

async function ours(context: Context, connectionString: string): Promise<void> {
  await migrate({ connectionString, source: directorySource(dirname(filesIn(context))) })
}

async function nodePgMigrate(context: Context, databaseUrl: string): Promise<void> {
  const all = { direction: 'up', migrationsTable: 'done', count: Number.POSITIVE_INFINITY } as const
  await runner({
    ...{ databaseUrl, dir: filesIn(context), singleTransaction: false, log: () => undefined },
    ...all,
  })
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
