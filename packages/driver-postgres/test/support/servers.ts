import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { describe } from 'vitest'

/** A server that the tests are run against. */
export interface Server {
  readonly version: '15' | '18'
  readonly url: string
}

function environment(name: string): string {
  const value = process.env[name]
  if (value !== undefined) return value
  const problem = process.env.TEST_POSTGRES_15_PROBLEM
  throw new Error(problem ?? `${name} is missing: run these tests by npm test, which starts the servers.`)
}

/** Runs the same tests on each version. A version that is not there fails each of them. */
export function onEachServer(tests: (server: Server) => void): void {
  describe('PostgreSQL 18', () =>
    tests({
      version: '18',
      get url() {
        return newestUrl()
      },
    }))
  describe('PostgreSQL 15', () =>
    tests({
      version: '15',
      get url() {
        return environment('TEST_POSTGRES_15_URL')
      },
    }))
}

/** For what does not depend on the version. */
export function newestUrl(): string {
  return environment('TEST_POSTGRES_URL')
}

/** A name that nobody has. Nothing is dropped afterwards: a server of the project's own is thrown away, and yours is yours. */
export function newName(what = 'db'): string {
  return `slotkeeper_test_${what}_${randomBytes(6).toString('hex')}`
}

/** The address of another database, or as another user, of the same server. */
function addressOf(server: string, database: string, user?: string): string {
  const url = new URL(server)
  url.pathname = `/${encodeURIComponent(database)}`
  if (user !== undefined) url.username = user
  return url.href
}

/** A new, empty database; answers its address. */
export async function newDatabase(server: string): Promise<string> {
  const name = newName()
  await sql(server, `CREATE DATABASE ${name} TEMPLATE template0`)
  return addressOf(server, name)
}

/** Runs SQL in a connection of its own; answers the rows of its last statement. */
export async function sql(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const results = (await client.query(text)) as unknown as pg.QueryResult | pg.QueryResult[]
    const last = Array.isArray(results) ? results.at(-1) : results
    return (last?.rows ?? []) as Record<string, unknown>[]
  } finally {
    await client.end()
  }
}
