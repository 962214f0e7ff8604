import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import type { Context, Sample } from '../../harness/case.ts'
import { median } from '../../harness/statistics.ts'

const TURNS = 3
let made = 0

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
  const name = `slotkeeper_bench_${process.pid}_${++made}`
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  await client.query(`CREATE DATABASE ${name} TEMPLATE template0`)
  await client.end()
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

/** What applies all files to the new database at an address. */
export type Apply = (context: Context, url: string) => Promise<void>

/**
 * How many files a second each of them does, by its name: the median of some turns, each on a new database. They take turns of a few
 * seconds in one process, every second one in the reverse order, because a machine with other work is not the same a minute later.
 */
export async function filesPerSecond(
  context: Context,
  appliers: Readonly<Record<string, Apply>>,
): Promise<Sample> {
  const rates: Record<string, number[]> = {}
  const names = Object.keys(appliers)
  for (let turn = 0; turn < (context.quick ? 2 : TURNS); turn++)
    for (const name of turn % 2 === 0 ? names : names.toReversed()) {
      const rate = await rateOf(context, appliers[name] as Apply)
      // Before the first is counted, the code of all of them is compiled.
      if (turn > 0) rates[name] = [...(rates[name] ?? []), rate]
    }
  return Object.fromEntries(Object.entries(rates).map(([name, all]) => [name, median(all)]))
}

async function rateOf(context: Context, apply: Apply): Promise<number> {
  const url = await newDatabase()
  const count = countOf(context)
  const start = performance.now()
  await apply(context, url)
  const ms = performance.now() - start
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(
    `SELECT count(*)::int FROM pg_class WHERE relname LIKE 'bench\\_%' AND relkind = 'r'`,
  )
  await client.end()
  if (rows[0]?.count !== count) throw new Error(`Only ${rows[0]?.count} of ${count} files were applied.`)
  return (count / ms) * 1000
}
