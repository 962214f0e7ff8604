import { execFileSync } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import {
  connectionOptions,
  isConnectionLost,
  type PostgresServer,
  storeFailure,
} from '../../src/connection.ts'
import { ownServer } from '../support/own-server.ts'
import { onEachServer, sql, standbyUrl } from '../support/servers.ts'

onEachServer(({ version }) => {
  let server: Awaited<ReturnType<typeof ownServer>>
  beforeAll(async () => {
    server = await ownServer(version, {
      files: { 'pg_hba.conf': 'host all rejected all reject\nhost all all all trust\n' },
    })
    await sql(server.url, 'CREATE ROLE app LOGIN; CREATE ROLE rejected LOGIN; CREATE TABLE secret (x int)')
    await sql(server.url, 'CREATE ROLE crowded LOGIN CONNECTION LIMIT 1')
  }, 60_000)
  afterAll(() => server?.[Symbol.asyncDispose]())
  const app = (): PostgresServer => ({
    ...{ host: '127.0.0.1', port: server.port, database: 'postgres', username: 'app' },
  })

  test('a database that is not there is told with its setting', async () => {
    const error = await failing({ ...app(), database: 'absent' })
    expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_PERMISSION', retryable: false })
    expect(error.message).toMatch(/"absent".*postgresql-database/)
  })

  test.for(['absent', 'rejected'])(
    'a user that the server does not let in is told with its setting: %s',
    async (username) => {
      const error = await failing({ ...app(), username })
      expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_PERMISSION', retryable: false })
      expect(error.message).toContain('postgresql-username')
    },
  )

  test('a missing privilege names what is missing', async () => {
    const error = await failing(app(), 'SELECT * FROM secret')
    expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_PERMISSION', retryable: false })
    expect(error.message).toContain('secret')
  })

  test('a server without connections left may be asked again', async () => {
    const crowded = { ...app(), username: 'crowded' }
    const client = new pg.Client(connectionOptions(crowded))
    await client.connect()
    try {
      const error = await failing(crowded)
      expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_UNAVAILABLE', retryable: true })
      expect(error.message).toContain('postgresql-max-connections')
    } finally {
      await client.end()
    }
  })

  test('a pool without connections left may be asked again, and names its size', async () => {
    const pool = new pg.Pool({ ...connectionOptions(app()), max: 1 })
    const client = await pool.connect()
    pool.options.connectionTimeoutMillis = 50 // connecting itself was given time
    try {
      const error = storeFailure(await pool.query('SELECT 1').catch((e: unknown) => e), 'Asking')
      expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_UNAVAILABLE', retryable: true })
      expect(error.message).toContain('postgresql-max-connections')
    } finally {
      client.release()
      await pool.end()
    }
    const ended = storeFailure(await pool.query('SELECT 1').catch((e: unknown) => e), 'Asking')
    expect(ended).toMatchObject({ code: 'SLOTKEEPER_INVALID_ARGUMENT', retryable: false })
  })

  test('the statement timeout of the server may pass, and is named', async () => {
    const error = await failing({ ...app(), options: '-c statement_timeout=20ms' }, 'SELECT pg_sleep(60)')
    expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_UNAVAILABLE', retryable: true })
    expect(error.message).toContain('statement_timeout')
  })

  test('a lock that somebody else keeps is a busy store', async () => {
    const client = new pg.Client(connectionOptions({ ...app(), username: 'postgres' }))
    await client.connect()
    await client.query('BEGIN; LOCK secret')
    try {
      const superuser = { ...app(), username: 'postgres', options: '-c lock_timeout=20ms' }
      expect(await failing(superuser, 'SELECT * FROM secret')).toMatchObject({
        code: 'SLOTKEEPER_STORE_BUSY',
        retryable: true,
      })
    } finally {
      await client.end()
    }
  })

  test('a table of another program is a foreign store', async () => {
    const error = await failing({ ...app(), username: 'postgres' }, 'SELECT slot_number FROM secret')
    expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_FOREIGN', retryable: false })
  })

  test('a connection that the server ends is unavailable, and lost', async () => {
    const client = new pg.Client(connectionOptions(app()))
    client.on('error', () => undefined)
    await client.connect()
    const [{ pid }] = (await client.query('SELECT pg_backend_pid() AS pid')).rows as [{ pid: number }]
    const sleeping = client.query('SELECT pg_sleep(60)').catch((error: unknown) => error)
    await sql(server.url, `SELECT pg_terminate_backend(${pid})`)
    const error = await sleeping
    expect(isConnectionLost(error)).toBe(true)
    expect(storeFailure(error, 'Sleeping')).toMatchObject({
      code: 'SLOTKEEPER_STORE_UNAVAILABLE',
      retryable: true,
    })
    await client.end()
  })

  test('a full disk is a full store', async () => {
    // Only a file system of its own can be filled. Where nothing may be mounted, the code that PostgreSQL gives stands for it.
    const folder = mounted()
    if (folder === undefined) {
      const full = Object.assign(new Error('could not extend file'), { severity: 'ERROR', code: '53100' })
      expect(storeFailure(full, 'Writing')).toMatchObject({ code: 'SLOTKEEPER_STORE_FULL', retryable: true })
      return
    }
    await sql(server.url, `CREATE TABLESPACE small LOCATION '${folder}'`)
    await sql(server.url, 'CREATE TABLE growing (x text) TABLESPACE small')
    const error = await failing(
      { ...app(), username: 'postgres' },
      "INSERT INTO growing SELECT repeat('x', 1000) FROM generate_series(1, 10000)",
    )
    expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_FULL', retryable: true })
    await sql(server.url, 'DROP TABLE growing')
    await sql(server.url, 'DROP TABLESPACE small')
  })
})

test('a server that only reads is told as such', async () => {
  const { hostname, port, username } = new URL(standbyUrl())
  const standby = { host: hostname, port: Number(port), username, database: 'postgres' }
  const error = await failing(standby, 'CREATE TABLE x (y int)')
  expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_READ_ONLY', retryable: false })
  expect(error.message).toContain('postgresql-host')
})

test('a name that no host has is told with its setting', async () => {
  const error = await failing({ host: 'slotkeeper.invalid', username: 'app' })
  expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_UNAVAILABLE', retryable: true })
  expect(error.message).toContain('postgresql-host')
})

test('a port where nobody listens is told with its setting', async () => {
  const { port } = await listening(() => undefined)
  closeAll()
  const error = await failing({ host: '127.0.0.1', port, username: 'app' })
  expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_UNAVAILABLE', retryable: true })
  expect(error.message).toContain('postgresql-port')
})

test.for(['disable', 'require'] as const)(
  'a server that accepts and never answers fails the connection in time, with and without a pool (%s)',
  async (mode) => {
    const { port } = await listening(() => undefined)
    const hanging = { host: '127.0.0.1', port, username: 'app', ssl: { mode }, connectionTimeoutMs: 100 }
    const pool = new pg.Pool(connectionOptions(hanging))
    const pooled = storeFailure(await pool.query('SELECT 1').catch((e: unknown) => e), 'Asking')
    for (const error of [await failing(hanging), pooled]) {
      expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_UNAVAILABLE', retryable: true })
      expect(error.message).toContain('postgresql-connection-timeout')
    }
    await pool.end()
  },
)

test('a server that hangs up is unavailable', async () => {
  const { port } = await listening((socket) => socket.destroy())
  expect(await failing({ host: '127.0.0.1', port, username: 'app' })).toMatchObject({
    ...{ code: 'SLOTKEEPER_STORE_UNAVAILABLE', retryable: true },
  })
})

test('a server that speaks something else is told as such', async () => {
  const { port } = await listening((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  const error = await failing({ host: '127.0.0.1', port, username: 'app', ssl: { mode: 'require' } })
  expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_TLS' })
  expect(error.message).toContain('postgresql-port')
})

test('what is wrong in the program itself is a defect, and does not pass by waiting', () => {
  const error = storeFailure(new TypeError('x is undefined'), 'Asking')
  expect(error).toMatchObject({ code: 'SLOTKEEPER_INTERNAL', retryable: false })
})

let close: (() => void)[] = []
function closeAll(): void {
  for (const one of close) one()
  close = []
}

async function listening(onSocket: (socket: Socket) => void): Promise<{ readonly port: number }> {
  const sockets = new Set<Socket>()
  const server: NetServer = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  close.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  onTestFinished(closeAll)
  return { port: (server.address() as AddressInfo).port }
}

/** A small file system that only servers of the tests write to. */
function mounted(): string | undefined {
  if (process.getuid?.() !== 0 || process.platform !== 'linux') return undefined
  const folder = mkdtempSync(join(tmpdir(), 'slotkeeper-small-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  onTestFinished(() => {
    execFileSync('umount', ['-l', folder])
  })
  const nobody = 65534
  chownSync(folder, nobody, nobody)
  return folder
}

async function failing(connection: PostgresServer, text = 'SELECT 1') {
  const client = new pg.Client(connectionOptions(connection))
  client.on('error', () => undefined)
  const outcome = await client
    .connect()
    .then(() => client.query(text))
    .then(
      () => new Error('It worked.'),
      (error: unknown) => error,
    )
  await client.end()
  return storeFailure(outcome, 'Asking')
}
