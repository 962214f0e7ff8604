import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import type { Context } from '../../harness/case.ts'

/** How many files a round applies. */
function countOf({ quick }: Context): number {
  return quick ? 100 : 1000
}

/** Small files, alike for all: a directory `<directory>/files/bench`, as node-pg-migrate and psql take it, and as a schema of ours. */
export async function writeFiles(context: Context): Promise<void> {
  const directory = filesIn(context)
  mkdirSync(directory, { recursive: true })
  for (let at = 1; at <= countOf(context); at++)
    writeFileSync(
      join(directory, `${String(at).padStart(4, '0')}_file.sql`),
      `CREATE TABLE bench_${at} (id bigint PRIMARY KEY, name text NOT NULL);\nINSERT INTO bench_${at} VALUES (1, 'one');\n`,
    )
}

export function filesIn({ directory }: Context): string {
  return join(directory, 'files', 'bench')
}

/** A new, empty database on the server that `npm run bench` has started; answers its address. */
export async function newDatabase(): Promise<string> {
  const server = process.env.TEST_POSTGRES_URL
  if (server === undefined) throw new Error('TEST_POSTGRES_URL is missing: npm run bench sets it.')
  const name = `slotkeeper_bench_${process.pid}_${Date.now()}`
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  await client.query(`CREATE DATABASE ${name} TEMPLATE template0`)
  await client.end()
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

/** Calls `work` on a new database, and tells how many files it did a second. */
export async function filesPerSecond(
  context: Context,
  work: (url: string) => Promise<void>,
): Promise<{ readonly rate: number; readonly cpuRate: number }> {
  const url = await newDatabase()
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  await work(url)
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  const count = countOf(context)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(
    `SELECT count(*)::int FROM pg_class WHERE relname LIKE 'bench\\_%' AND relkind = 'r'`,
  )
  await client.end()
  if (rows[0]?.count !== count) throw new Error(`Only ${rows[0]?.count} of ${count} files were applied.`)
  return { rate: (count / ms) * 1000, cpuRate: (count / (user + system)) * 1_000_000 }
}
