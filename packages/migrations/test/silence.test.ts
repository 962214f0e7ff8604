import { expect, test, vi } from 'vitest'
import { migrate } from '../src/index.ts'
import { Sidecar, until } from './support/command.ts'
import { newDirectory, write } from './support/files.ts'
import { gate } from './support/gate.ts'
import { throughProxy } from './support/proxy.ts'
import { newDatabase, newestUrl, onEachServer, sql } from './support/servers.ts'

vi.setConfig({ testTimeout: 120_000 })

const LOST = { code: 'SLOTKEEPER_STORE_UNAVAILABLE', message: expect.stringContaining('the answer got lost') }

onEachServer((server) => {
  test('a network that swallows everything makes it not ready, until it is mended', async () => {
    const directory = await newDirectory()
    const direct = await newDatabase(server.url)
    await using proxy = await throughProxy(direct)
    await write(directory, { 'a/001_a.sql': 'CREATE TABLE a ();' })
    const sidecar = new Sidecar({ DATABASE_URL: proxy.url }, ['--source', directory])
    await sidecar.ready()
    proxy.swallow()
    expect(await sidecar.get('/readiness')).toMatchObject({ code: 503, body: { postgres_healthy: false } })
    await write(directory, { 'a/002_b.sql': 'CREATE TABLE b ();' })
    // It asks again and again, each time on a connection of its own, and says why it is not ready.
    await sidecar.failing('SLOTKEEPER_STORE_UNAVAILABLE')
    await until(() => sidecar.command.stderr.includes('Still so; trying again'))
    expect(await sidecar.get('/liveness')).toMatchObject({ code: 200 })
    proxy.mend()
    await sidecar.ready()
    expect(await tables(direct)).toEqual(['a', 'b'])
  })
})

/** These take as long as is waited for an answer: all at once. */
test('an answer that is lost is noticed, and one that takes its time is not taken for lost', async () => {
  const swallowed = async (which: 'all' | 'existing', isDone: boolean) => {
    const url = await newDatabase(newestUrl())
    await using proxy = await throughProxy(url)
    await using closed = await gate(url, 'SELECT pg_advisory_lock(7)')
    const source = [{ path: 'a/001_a.sql', content: 'CREATE TABLE a (); SELECT pg_advisory_xact_lock(7);' }]
    const running = migrate({ connectionString: proxy.url, source })
    const failing = expect(running).rejects.toMatchObject(LOST)
    await closed.blocked()
    proxy.swallow(which)
    // The server carries the file out, and its answer finds nobody; or it never ends.
    if (isDone) await closed.open()
    await failing
    // Its row in the ledger went with it, so the next start knows, and carries nothing out twice.
    expect(await tables(url)).toEqual(isDone ? ['a'] : [])
    proxy.mend()
    if (!isDone) await closed.open()
    const { applied } = await migrate({ connectionString: url, source })
    expect(applied.map(({ path }) => path)).toEqual(isDone ? [] : ['a/001_a.sql'])
    expect(await tables(url)).toEqual(['a'])
  }

  const long = async () => {
    const url = await newDatabase(newestUrl())
    const source = [{ path: 'a/001_a.sql', content: 'CREATE TABLE a (); SELECT pg_sleep(35);' }]
    await migrate({ connectionString: url, source })
    expect(await tables(url)).toEqual(['a'])
  }

  await Promise.all([swallowed('all', true), swallowed('all', false), swallowed('existing', true), long()])
})

test('a sidecar whose file lost its answer says so, and applies it when the network is back', async () => {
  const directory = await newDirectory()
  const direct = await newDatabase(newestUrl())
  await using proxy = await throughProxy(direct)
  await using closed = await gate(direct, 'SELECT pg_advisory_lock(7)')
  await write(directory, { 'a/001_a.sql': 'CREATE TABLE a (); SELECT pg_advisory_xact_lock(7);' })
  const sidecar = new Sidecar({ DATABASE_URL: proxy.url }, ['--source', directory])
  await closed.blocked()
  proxy.swallow()
  expect(await sidecar.get('/readiness')).toMatchObject({ code: 503, body: { postgres_healthy: false } })
  await closed.open()
  await sidecar.failing('SLOTKEEPER_STORE_UNAVAILABLE')
  proxy.mend()
  await sidecar.ready()
  expect(await tables(direct)).toEqual(['a'])
})

test('files run under settings by which the server gives up a client that is gone', async () => {
  const connectionString = await newDatabase(newestUrl())
  const asked = `SELECT current_setting('client_connection_check_interval'), current_setting('idle_in_transaction_session_timeout')`
  const source = [{ path: 'a/001_a.sql', content: `CREATE TABLE a AS ${asked} AS idle` }]
  await migrate({ connectionString, source })
  expect(await sql(connectionString, 'SELECT * FROM a')).toEqual([{ current_setting: '5s', idle: '1min' }])
})

async function tables(url: string): Promise<string[]> {
  const rows = await sql(
    url,
    `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1`,
  )
  return rows.map(({ relname }) => String(relname))
}
