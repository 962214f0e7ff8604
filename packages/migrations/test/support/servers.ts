import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { describe, onTestFinished } from 'vitest'
import { connectionOptions } from '../../src/connection.ts'

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
        return environment('TEST_POSTGRES_URL')
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

/** Of a standby, which only reads. */
export function standbyUrl(): string {
  return environment('TEST_POSTGRES_STANDBY_URL')
}

/** A program of PostgreSQL 15, and the environment that it needs. */
export function program(name: 'pg_dump' | 'pg_isready' | 'psql') {
  const libraries = environment('TEST_POSTGRES_LIBRARIES')
  return {
    path: `${environment('TEST_POSTGRES_BIN')}/${name}`,
    env: { ...process.env, ...(libraries !== '' && { LD_LIBRARY_PATH: libraries }) },
  }
}

/** A name that nobody has. */
export function newName(what = 'db'): string {
  return `slotkeeper_test_${what}_${randomBytes(6).toString('hex')}`
}

const PASSWORD = 'x'

/** The address of another database, or as a user that `newRole` made, of the same server. */
export function addressOf(server: string, database: string, user?: string): string {
  const url = new URL(server)
  url.pathname = `/${encodeURIComponent(database)}`
  if (user !== undefined) {
    url.username = user
    url.password = PASSWORD
  }
  return url.href
}

/** A new, empty database that is gone after the test; answers its address. */
export async function newDatabase(server: string): Promise<string> {
  const name = newName()
  dropAfterwards(server, name)
  await sql(server, `CREATE DATABASE ${name} TEMPLATE template0`)
  return addressOf(server, name)
}

/** It waits for a checkpoint, which a machine with much else to do is slow with. */
const DROP_MS = 120_000

/** A database that the test makes is gone after it, whoever still uses it. */
export function dropAfterwards(server: string, database: string): void {
  onTestFinished(async () => {
    await sql(server, `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(database)} WITH (FORCE)`)
  }, DROP_MS)
}

/** A new role that may log in and owns nothing yet, that is gone after the test, and what it then owns in `database` with it. */
export async function newRole(database: string): Promise<string> {
  const name = newName('role')
  await sql(database, `CREATE ROLE ${name} LOGIN PASSWORD '${PASSWORD}'`)
  onTestFinished(async () => {
    await sql(database, `DROP OWNED BY ${name}; DROP ROLE ${name}`)
  })
  return name
}

/** Runs SQL in a connection of its own; answers the rows of its last statement. */
export async function sql(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(connectionOptions(url))
  await client.connect()
  try {
    const results = (await client.query(text)) as unknown as pg.QueryResult | pg.QueryResult[]
    const last = Array.isArray(results) ? results.at(-1) : results
    return (last?.rows ?? []) as Record<string, unknown>[]
  } finally {
    await client.end()
  }
}
