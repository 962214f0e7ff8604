import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { Command, run, until } from './support/command.ts'
import { newDirectory, write } from './support/files.ts'
import { addressOf, dropAfterwards, newDatabase, newName, onEachServer, sql } from './support/servers.ts'

vi.setConfig({ testTimeout: 60_000 })

onEachServer((server) => {
  test('every verb does what it says, and its exit code tells programs', async () => {
    const directory = await newDirectory()
    await write(directory, { 'a/001_x.sql': 'CREATE TABLE x ();', 'a/002_y.sql': 'CREATE TABLE y ();' })
    const DATABASE_URL = await newDatabase(server.url)
    const call = (...args: string[]) => run([...args, '--source', directory], { DATABASE_URL })
    expect(await call('up', '--dry-run')).toMatchObject({
      code: 0,
      stdout: 'a/001_x.sql\na/002_y.sql\n2 would be applied, 2 in all\n',
    })
    expect(await call('verify')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('a/001_x.sql is not applied'),
    })
    expect(await call('baseline', '--through', 'a/001_x.sql')).toMatchObject({ code: 0 })
    expect(await call('up')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^a\/002_y.sql {2}\d+ ms\n1 applied, 2 in all\n$/),
    })
    expect(await call('verify')).toMatchObject({ code: 0 })
    const { stdout } = await call('status', '--json')
    expect(JSON.parse(stdout)).toMatchObject([
      { state: 'applied', how: 'baseline' },
      { state: 'applied', how: 'run' },
    ])
    await write(directory, { 'a/002_y.sql': 'CREATE TABLE z ();' })
    expect(await call('up')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a/002_y.sql is edited: line 1 differs'),
    })
    expect(await call('repair', '--accept', 'a/002_y.sql')).toMatchObject({ code: 0 })
    expect(await call('verify')).toMatchObject({ code: 0 })
  })

  test('a database with any name is made once by several managers', async () => {
    const directory = await newDirectory()
    await write(directory, { 'a/001_x.sql': 'CREATE TABLE x ();' })
    const name = `${newName()} "Ü"; --'`
    dropAfterwards(server.url, name)
    const DATABASE_URL = addressOf(server.url, name)
    const results = await Promise.all(
      [1, 2, 3].map(() => run(['up', '--source', directory, '--json'], { DATABASE_URL })),
    )
    expect(results.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      [1, 2, 3].map(() => ({ code: 0, stderr: expect.any(String) })),
    )
    expect(results.flatMap(({ stdout }) => JSON.parse(stdout).applied)).toHaveLength(1)
    expect(await sql(DATABASE_URL, 'SELECT count(*)::int FROM x')).toEqual([{ count: 0 }])
  })

  test('a migration that is stopped is rolled back, and the exit code tells by what', async () => {
    const directory = await newDirectory()
    await write(directory, { 'a/001_x.sql': 'CREATE TABLE half (); SELECT pg_sleep(600)' })
    const DATABASE_URL = await newDatabase(server.url)
    const running = new Command(['up', '--source', directory], { DATABASE_URL })
    const sleeping = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`
    await until(async () => (await sql(DATABASE_URL, sleeping)).length === 1)
    running.child.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ code: 143, stderr: expect.stringContaining('SIGTERM') })
    await until(async () => (await sql(DATABASE_URL, sleeping)).length === 0)
    expect(await sql(DATABASE_URL, `SELECT to_regclass('half') AS half`)).toEqual([{ half: null }])
  })
})

test('wrong settings are all listed at once, without the password', async () => {
  const ended = await run(['up'], {
    ...{
      DATABASE_URL: 'postgres://me:hunter2@host/x',
      POSTGRES_HOST: 'other',
      POSTGRES_PORT: '0',
      HEALTH_PORT: 'web',
    },
    ...{
      CHECK_INTERVAL_SECS: '-1',
      MIGRATIONS_LOCK_TIMEOUT: 'soon',
      MIGRATIONS_ALLOW_EMPTY: 'maybe',
      MIGRATIONS_SETT: 'x',
    },
    MIGRATIONS_READY_SENTINEL_PATH: '/nowhere/x',
  })
  expect(ended.code).toBe(125)
  for (const name of [
    ...['POSTGRES_HOST', 'POSTGRES_PORT', 'HEALTH_PORT', 'CHECK_INTERVAL_SECS', 'MIGRATIONS_LOCK_TIMEOUT'],
    ...['MIGRATIONS_ALLOW_EMPTY', 'MIGRATIONS_SETT', 'MIGRATIONS_READY_SENTINEL_PATH'],
  ])
    expect(ended.stderr).toContain(`  ${name}: `)
  expect(ended.stderr).not.toContain('hunter2')
})

test('an address may come from a file, and not from two places', async () => {
  const directory = await newDirectory()
  const DATABASE_URL_FILE = join(directory, 'url')
  await writeFile(DATABASE_URL_FILE, 'postgres://me:hunter2@127.0.0.1:1/x\n')
  await write(directory, { 'a/001_x.sql': '' })
  const ended = await run(['status', '--source', directory], { DATABASE_URL_FILE })
  expect(ended).toMatchObject({ code: 69, stderr: expect.stringContaining('at 127.0.0.1:1') })
  expect(ended.stderr).not.toContain('hunter2')
  const both = await run(['status', '--source', directory], {
    DATABASE_URL_FILE,
    DATABASE_URL: 'postgres://x/y',
  })
  expect(both).toMatchObject({ code: 125, stderr: expect.stringContaining('DATABASE_URL_FILE') })
})

test.each([
  [['upp'], 'Did you mean up?'],
  [[], 'The verb is missing'],
  [['up', 'now'], '"now" is one word too many'],
  [['up', '--sauce', 'x'], '--sauce'],
])('a command line that cannot be meant (%j) is refused', async (args, message) => {
  expect(await run(args)).toMatchObject({ code: 125, stderr: expect.stringContaining(message) })
})
