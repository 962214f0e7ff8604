import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secret } from '@slotkeeper/core'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { connectionOptions, storeFailure } from '../../src/connection.ts'
import { ownServer } from '../support/own-server.ts'
import { onEachServer, sql } from '../support/servers.ts'

const directory = mkdtempSync(join(tmpdir(), 'slotkeeper-password-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const ODD = `a b'"@%/:?#&=+\\$ü漢😀`

onEachServer(({ version }) => {
  let server: Awaited<ReturnType<typeof ownServer>>
  const at = () => ({ host: '127.0.0.1', port: server.port })

  beforeAll(async () => {
    server = await ownServer(version, {
      files: {
        'pg_hba.conf': 'host all postgres all trust\nhost all md5 all md5\nhost all all all scram-sha-256\n',
      },
    })
    const quoted = pg.escapeIdentifier(ODD)
    await sql(server.url, `CREATE ROLE ${quoted} LOGIN PASSWORD ${pg.escapeLiteral(ODD)}`)
    await sql(server.url, `CREATE DATABASE ${quoted} OWNER ${quoted} TEMPLATE template0`)
    await sql(server.url, "CREATE ROLE rotated LOGIN PASSWORD 'first'")
  }, 60_000)
  afterAll(() => server?.[Symbol.asyncDispose]())

  test('user, password and database with spaces, quotes, @, %, / and Unicode work', async () => {
    const whoAndWhere = 'SELECT current_user AS user, current_database() AS database'
    const odd = { username: ODD, password: new Secret(ODD), database: ODD }
    expect(await rows({ ...at(), ...odd }, whoAndWhere)).toEqual([{ user: ODD, database: ODD }])
    const e = encodeURIComponent(ODD)
    const text = `postgresql://${e}:${e}@127.0.0.1:${server.port}/${e}`
    expect(await rows(text, whoAndWhere)).toEqual([{ user: ODD, database: ODD }])
  })

  test('PGPASSWORD gives the password where nothing else does', async () => {
    vi.stubEnv('PGPASSWORD', ODD)
    const odd = { username: ODD, database: ODD }
    expect(await rows({ ...at(), ...odd }, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    const error = await failing({ ...at(), ...odd, password: 'wrong' })
    expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_PERMISSION', retryable: false })
  })

  test('a rotated password file is read at the next connect, by the pool that is there', async () => {
    const passwordFile = join(directory, `rotated-${version}`)
    writeFileSync(passwordFile, 'first\n')
    const pool = new pg.Pool({
      ...connectionOptions({ ...at(), username: 'rotated', database: 'postgres', passwordFile }),
      max: 2,
    })
    pool.on('error', () => undefined)
    try {
      await Promise.all([pool.query('SELECT 1'), pool.query('SELECT 1')])
      await sql(server.url, "ALTER ROLE rotated PASSWORD 'second'")
      await pool.query('SELECT 1') // connections that are there go on
      const ended = new Promise((resolve) => pool.once('remove', resolve))
      await sql(
        server.url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated'",
      )
      await ended
      await vi.waitUntil(() => pool.totalCount === 0)
      await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: '28P01' })
      writeFileSync(passwordFile, 'second\n')
      await pool.query('SELECT 1')
    } finally {
      await pool.end()
    }
    await sql(server.url, "ALTER ROLE rotated PASSWORD 'first'")
  })

  test('a password that is wrong, missing or cannot be read is told with its setting, and not shown', async () => {
    const rotated = { ...at(), username: 'rotated', database: 'postgres' }
    const wrong = await failing({ ...rotated, password: 'geheim' })
    expect(wrong).toMatchObject({ code: 'SLOTKEEPER_STORE_PERMISSION', retryable: false })
    expect(wrong.message).toContain('postgresql-password-file')
    expect(JSON.stringify([wrong.message, wrong.cause])).not.toContain('geheim')
    const missing = await failing(rotated)
    expect(missing).toMatchObject({ code: 'SLOTKEEPER_STORE_PERMISSION' })
    expect(missing.message).toContain('none was given')
    const unreadable = await failing({ ...rotated, passwordFile: join(directory, 'absent') })
    expect(unreadable).toMatchObject({ code: 'SLOTKEEPER_STORE_PERMISSION' })
    expect(unreadable.message).toMatch(/postgresql-password-file.*ENOENT/)
  })
})

async function rows(connection: Parameters<typeof connectionOptions>[0], text: string): Promise<unknown[]> {
  const client = new pg.Client(connectionOptions(connection))
  client.on('error', () => undefined)
  try {
    await client.connect()
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

async function failing(connection: Parameters<typeof connectionOptions>[0]) {
  const outcome = await rows(connection, 'SELECT 1').then(
    () => new Error('It connected.'),
    (error: unknown) => error,
  )
  return storeFailure(outcome, 'No connection')
}
