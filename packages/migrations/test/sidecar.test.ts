import { mkdir, readdir, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { Sidecar, until } from './support/command.ts'
import { mount, newDirectory, write } from './support/files.ts'
import { throughProxy } from './support/proxy.ts'
import { newDatabase, newestUrl, onEachServer, sql } from './support/servers.ts'

vi.setConfig({ testTimeout: 60_000 })

const create = (name: string) => `CREATE TABLE ${name} ();`

async function has(url: string, table: string): Promise<boolean> {
  const [row] = await sql(url, `SELECT to_regclass('${table}') IS NOT NULL AS has`)
  return row?.has === true
}

onEachServer((server) => {
  test('it is ready when everything is applied, and applies what a turned ConfigMap brings', async () => {
    const CONFIGMAP_PATH = await newDirectory()
    const DATABASE_URL = await newDatabase(server.url)
    await mount(CONFIGMAP_PATH, 1, { 'gcp_001_a.sql': create('a') })
    const sidecar = new Sidecar({ DATABASE_URL, CONFIGMAP_PATH })
    expect((await sidecar.ready()).body).toMatchObject({
      status: 'ready',
      postgres_healthy: true,
      migrations_applied: true,
      total: 1,
    })
    await mount(CONFIGMAP_PATH, 2, { 'gcp_001_a.sql': create('a'), 'aws_001_b.sql': create('b') })
    await until(() => has(DATABASE_URL, 'b'))
    expect((await sidecar.readiness(({ body }) => body.total === 2)).code).toBe(200)
  })

  test('a file that fails makes it not ready, with the place, until it is mended', async () => {
    const directory = await newDirectory()
    const flags = await newDirectory()
    const flag = {
      MIGRATIONS_APPLIED_FLAG_PATH: join(flags, 'applied'),
      MIGRATIONS_READY_SENTINEL_PATH: join(flags, 'ready'),
    }
    const DATABASE_URL = await newDatabase(server.url)
    await write(directory, {
      'a/001_a.sql': create('a'),
      'a/002_b.sql': `${create('b')}\nSELECT * FROM nowhere`,
    })
    const sidecar = new Sidecar({ DATABASE_URL, ...flag }, ['--source', directory])
    const answer = await sidecar.failing('SLOTKEEPER_MIGRATION_FAILED')
    expect(answer).toMatchObject({
      code: 503,
      body: {
        status: 'not ready',
        postgres_healthy: true,
        migrations_applied: false,
        file: 'a/002_b.sql',
        statement: 2,
        line: 2,
        column: 15,
      },
    })
    expect(answer.body.error?.message).toContain('relation "nowhere" does not exist')
    expect(await sidecar.get('/liveness')).toMatchObject({ code: 200 })
    for (const path of ['/health', '/healthz'])
      expect(await sidecar.get(path)).toMatchObject({ code: 200, body: { phase: 'failed' } })
    expect(await readdir(flags)).toEqual([])
    await write(directory, { 'a/002_b.sql': create('b') })
    await sidecar.ready()
    expect(await readdir(flags)).toEqual(['applied', 'ready'])
    sidecar.command.child.kill('SIGTERM')
    expect(await sidecar.command.ended).toMatchObject({ code: 0 })
    expect(await readdir(flags)).toEqual([])
  })

  test('a change while the database is away is applied when it is back', async () => {
    const directory = await newDirectory()
    const direct = await newDatabase(server.url)
    await using proxy = await throughProxy(direct)
    await write(directory, { 'a/001_a.sql': create('a') })
    const sidecar = new Sidecar({ DATABASE_URL: proxy.url }, ['--source', directory])
    await sidecar.ready()
    proxy.cut()
    expect(await sidecar.get('/readiness')).toMatchObject({ code: 503, body: { postgres_healthy: false } })
    await write(directory, { 'a/002_b.sql': create('b') })
    await until(() => sidecar.command.stderr.includes('Still so; trying again'))
    expect(await sidecar.get('/readiness')).toMatchObject({ code: 503, body: { phase: 'waiting' } })
    proxy.mend()
    await sidecar.ready()
    expect(await has(direct, 'b')).toBe(true)
  })

  test('told to end in the middle of a file, it rolls back and ends well', async () => {
    const directory = await newDirectory()
    const DATABASE_URL = await newDatabase(server.url)
    await write(directory, { 'a/001_a.sql': `${create('half')} SELECT pg_sleep(600)` })
    const sidecar = new Sidecar({ DATABASE_URL }, ['--source', directory])
    const answer = await sidecar.readiness(
      ({ body }) => body.phase === 'migrating' && body.file !== undefined,
    )
    expect(answer).toMatchObject({ code: 503, body: { file: 'a/001_a.sql' } })
    sidecar.command.child.kill('SIGTERM')
    expect(await sidecar.command.ended).toMatchObject({ code: 0 })
    expect(await has(DATABASE_URL, 'half')).toBe(false)
  })

  test('a database that lost everything is migrated again', async () => {
    const directory = await newDirectory()
    const DATABASE_URL = await newDatabase(server.url)
    await using proxy = await throughProxy(DATABASE_URL)
    await write(directory, { 'a/001_a.sql': create('a') })
    const sidecar = new Sidecar({ DATABASE_URL: proxy.url }, ['--source', directory])
    await sidecar.ready()
    proxy.cut()
    await sidecar.readiness(({ code }) => code === 503)
    await sql(DATABASE_URL, 'DROP SCHEMA slotkeeper CASCADE; DROP TABLE a')
    proxy.mend()
    await sidecar.ready()
    expect(await has(DATABASE_URL, 'a')).toBe(true)
  })
})

test('a directory that vanishes makes it not ready, until it is back', async () => {
  const parent = await newDirectory()
  const directory = join(parent, 'files')
  await write(directory, { 'a/001_a.sql': create('a') })
  const sidecar = new Sidecar({ DATABASE_URL: await newDatabase(newestUrl()) }, ['--source', directory])
  await sidecar.ready()
  await rename(directory, `${directory}.away`)
  expect(await sidecar.failing('SLOTKEEPER_MIGRATION_SOURCE_UNREADABLE')).toMatchObject({ code: 503 })
  await rename(`${directory}.away`, directory)
  await sidecar.ready()
})

test('a file that cannot be read makes it not ready, and nothing is applied', async () => {
  const directory = await newDirectory()
  await write(directory, { 'a/001_a.sql': create('a') })
  await symlink('nowhere', join(directory, 'a', '002_b.sql'))
  const DATABASE_URL = await newDatabase(newestUrl())
  const sidecar = new Sidecar({ DATABASE_URL }, ['--source', directory])
  await sidecar.failing('SLOTKEEPER_MIGRATION_SOURCE_UNREADABLE')
  expect(await has(DATABASE_URL, 'a')).toBe(false)
  await rm(join(directory, 'a', '002_b.sql'))
  await sidecar.ready()
})

test('an empty source is not ready, unless it is allowed', async () => {
  const directory = await newDirectory()
  await mkdir(join(directory, 'a'))
  const DATABASE_URL = await newDatabase(newestUrl())
  const refusing = new Sidecar({ DATABASE_URL }, ['--source', directory])
  expect(await refusing.failing('SLOTKEEPER_MIGRATION_SOURCE_INVALID')).toMatchObject({ code: 503 })
  const allowing = new Sidecar({ DATABASE_URL }, ['--source', directory, '--allow-empty'])
  await allowing.ready()
})

test('an address whose file vanishes makes it not ready, until it is back', async () => {
  const directory = await newDirectory()
  await write(directory, { 'a/001_a.sql': create('a'), url: await newDatabase(newestUrl()) })
  const sidecar = new Sidecar({ DATABASE_URL_FILE: join(directory, 'url') }, ['--source', directory])
  await sidecar.ready()
  await rename(join(directory, 'url'), join(directory, 'moved'))
  expect(await sidecar.get('/readiness')).toMatchObject({ code: 503, body: { postgres_healthy: false } })
  await rename(join(directory, 'moved'), join(directory, 'url'))
  await sidecar.ready()
})

test('a database that is never there ends the start after the time for it, and probes are answered until then', async () => {
  const directory = await newDirectory()
  await write(directory, { 'a/001_a.sql': create('a') })
  const env = { DATABASE_URL: 'postgres://me:hunter2@127.0.0.1:1/x', POSTGRES_TIMEOUT_SECS: '2' }
  const sidecar = new Sidecar(env, ['--source', directory])
  expect(await sidecar.get('/liveness')).toMatchObject({ code: 200, body: { status: 'alive' } })
  const ended = await sidecar.command.ended
  expect(ended).toMatchObject({ code: 69 })
  expect(ended.stderr).not.toContain('hunter2')
})
