import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Manager, type ManagerOptions } from '@slotkeeper/core'
import { type PostgresDriverOptions, postgresDriver } from '@slotkeeper/driver-postgres'
import { connectionOptions } from '@slotkeeper/migrations/connection'
import pg from 'pg'
import type { Context, Measure, Sample } from '../../harness/case.ts'

/** The server that `npm run bench` has started, or yours. */
function serverUrl(): string {
  const url = process.env.BENCH_POSTGRES_URL
  if (url === undefined) throw new Error('BENCH_POSTGRES_URL is missing: npm run bench sets it.')
  return url
}

/** A new, empty database; answers its address. It stays: a server of the project's own is thrown away, and yours is yours. */
export async function newDatabase(): Promise<string> {
  const name = `slotkeeper_bench_${randomBytes(6).toString('hex')}`
  await sql(serverUrl(), `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`)
  const url = new URL(serverUrl())
  url.pathname = `/${name}`
  return url.href
}

/** Makes a database that all runs of the case share, under a name of the case's own. */
export async function prepareDatabase({ directory }: Context, name: string): Promise<string> {
  const url = await newDatabase()
  writeFileSync(join(directory, `${name}.url`), url)
  return url
}

/** The address of what `prepareDatabase` made. */
export function preparedDatabase({ directory }: Context, name: string): string {
  return readFileSync(join(directory, `${name}.url`), 'utf8')
}

/** Runs SQL on a connection of its own; answers the rows of its last statement. */
export async function sql(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = await connected(url)
  try {
    const results = (await client.query(text)) as unknown as pg.QueryResult | pg.QueryResult[]
    return (Array.isArray(results) ? results.at(-1) : results)?.rows as Record<string, unknown>[]
  } finally {
    await client.end()
  }
}

/** A connection of pg, as a program without Slotkeeper has it. */
export async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client(connectionOptions(url))
  await client.connect()
  return client
}

/** A Manager with default options, or those said. */
export function openManager(
  connectionString: string,
  options: Omit<ManagerOptions, 'driver'> = {},
  driverOptions: PostgresDriverOptions = {},
): Manager {
  return new Manager({ driver: postgresDriver({ connectionString, ...driverOptions }), ...options })
}

/** A subject that works with a Manager with default options on a new database. */
export function withPostgres(work: (manager: Manager, context: Context) => Promise<Sample>): Measure {
  return async (context) => {
    await using manager = openManager(await newDatabase())
    return await work(manager, context)
  }
}

/** Managers that share a pool, which ends with them. */
export interface Managers extends AsyncDisposable {
  at(index: number): Manager
}

/**
 * As many Managers as there are calls at once, all on one pool of the driver's own size: nothing travels together, each call is a
 * transaction of its own.
 */
export async function oneByOne(url: string, count: number): Promise<Managers> {
  const pool = new pg.Pool({ ...connectionOptions(url), max: 10 })
  const managers = Array.from({ length: count }, () => new Manager({ driver: postgresDriver({ pool }) }))
  await managers[0]?.health() // one makes the tables, the others find them
  return {
    at: (index) => managers[index] as Manager,
    async [Symbol.asyncDispose]() {
      await Promise.all(managers.map((manager) => manager.close()))
      await pool.end()
    },
  }
}
