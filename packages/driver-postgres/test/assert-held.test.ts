import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { assertHeld } from '../src/index.ts'
import { newDatabase, newName, onEachServer, sql } from './support/servers.ts'
import {
  acquire,
  ask,
  connect,
  driverOf,
  grantOf,
  openDriver,
  openHolder,
  REPO,
  release,
} from './support/store.ts'

function slotOf({ repository, run, token }: { repository: typeof REPO; run: typeof REPO; token: number }) {
  return { repository, run, fencingToken: BigInt(token) }
}

onEachServer((server) => {
  let connectionString = ''
  beforeAll(async () => {
    connectionString = await newDatabase(server.url)
    await sql(connectionString, 'CREATE TABLE written (what text)')
  })

  test('a transaction that asserts a held slot commits what it wrote', async () => {
    const schema = newName('s')
    const driver = await openDriver({ connectionString, schema })
    const row = await grantOf(driver, 'acme/a', await openHolder(driver))
    const client = await connect(connectionString)
    await client.query('BEGIN')
    await assertHeld(client, slotOf(row), { schema })
    await client.query('COMMIT')
  })

  test('a process that was stopped for longer than its TTL and lost its slot writes nothing', async () => {
    const schema = newName('s')
    const driver = await openDriver({ connectionString, schema })
    const holder = await openHolder(driver, 500)
    const stopped = await grantOf(driver, 'acme/stopped', holder)
    const other = await openHolder(driver)
    const next = acquire('acme/next', other)
    // The stopped process sends no heartbeat; sooner or later its slot is given away.
    while (next.outcome?.kind !== 'granted') {
      await ask(driver, other, [next])
      await sleep(20)
    }
    const client = await connect(connectionString)
    await client.query('BEGIN')
    await client.query(`INSERT INTO written VALUES ('by ${schema}')`)
    await expect(assertHeld(client, slotOf(stopped), { schema })).rejects.toMatchObject({
      code: 'SLOTKEEPER_SLOT_LOST',
    })
    await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' })
    await client.query('COMMIT')
    expect(await sql(connectionString, `SELECT FROM written WHERE what = 'by ${schema}'`)).toEqual([])
  })

  test('an asserted slot is given to nobody until the transaction ends, although its holder died', async () => {
    const schema = newName('s')
    const driver = await openDriver({ connectionString, schema })
    const holder = await openHolder(driver, 500)
    const row = await grantOf(driver, 'acme/asserted', holder)
    const client = await connect(connectionString)
    await client.query('BEGIN')
    await assertHeld(client, slotOf(row), { schema })
    await driver.closeHolder(holder)
    const other = await openHolder(driver)
    const next = acquire('acme/next', other)
    await ask(driver, other, [next])
    expect(next.outcome?.kind).toBe('waiting')
    expect((await driver.sweep(10)).domains).toEqual([REPO])
    await ask(driver, undefined, [])
    const before = await driver.read({ kind: 'repository', repository: REPO, slots: 9, waiting: 9 })
    expect(before.runs.map(({ run, phase }) => [run, phase])).toEqual([
      ['acme/asserted', 'running'],
      ['acme/next', 'waiting'],
    ])
    // Nor can it be ended by name: whoever tries hears why, and holds up nobody.
    await expect(ask(driver, undefined, [release(row)])).rejects.toMatchObject({
      code: 'SLOTKEEPER_STORE_BUSY',
      retryable: true,
    })
    await client.query('COMMIT')
    await ask(driver, other, [])
    const after = await driver.read({ kind: 'repository', repository: REPO, slots: 9, waiting: 9 })
    expect(after.runs.map(({ run, phase }) => [run, phase])).toEqual([['acme/next', 'running']])
  })

  test('a repository whose slot is asserted is not gone before the transaction ends', async () => {
    const schema = newName('s')
    const driver = await openDriver({ connectionString, schema })
    const row = await grantOf(driver, 'acme/asserted', await openHolder(driver))
    const client = await connect(connectionString)
    await client.query('BEGIN')
    await assertHeld(client, slotOf(row), { schema })
    const remove = () => ({
      kind: 'remove-repository' as const,
      ...{ repository: REPO, ticket: 'remove', uid: undefined, outcome: undefined },
    })
    await ask(driver, undefined, [remove()])
    await ask(driver, undefined, [])
    const { repositories } = await driver.read({ kind: 'repositories', after: '', first: 9 })
    expect(repositories.map(({ status, live }) => [status, live])).toEqual([['removing', 1]])
    await client.query('COMMIT')
    while ((await driver.read({ kind: 'repositories', after: '', first: 9 })).repositories.length > 0)
      await ask(driver, undefined, [remove()])
  })

  test('outside of a transaction it keeps nothing, and says so', async () => {
    const schema = newName('s')
    const driver = await openDriver({ connectionString, schema })
    const row = await grantOf(driver, 'acme/a', await openHolder(driver))
    await expect(assertHeld(await connect(connectionString), slotOf(row), { schema })).rejects.toMatchObject({
      code: 'SLOTKEEPER_INVALID_ARGUMENT',
    })
  })

  test('neither a released slot, nor another token, nor a dead holder’s slot is held', async () => {
    const schema = newName('s')
    const driver = await openDriver({ connectionString, schema })
    const holder = await openHolder(driver)
    const released = await grantOf(driver, 'acme/released', holder)
    const slot = slotOf(released)
    await ask(driver, holder, [release(released)])
    const held = await grantOf(driver, 'acme/held', holder)
    const orphan = await openHolder(driver)
    const dead = await grantOf(driver, 'acme/dead', orphan, { repository: 'acme/other' })
    await driver.closeHolder(orphan)
    const client = await connect(connectionString)
    for (const lost of [slot, { ...slotOf(held), fencingToken: BigInt(held.token) - 1n }, slotOf(dead)]) {
      await client.query('BEGIN')
      await expect(assertHeld(client, lost, { schema })).rejects.toMatchObject({
        code: 'SLOTKEEPER_SLOT_LOST',
      })
      await client.query('ROLLBACK')
    }
  })

  test('a role that may do nothing else may assert', async () => {
    const schema = newName('s')
    const driver = driverOf({ connectionString, schema })
    await driver.open({ schema: 'migrate' })
    const row = await grantOf(driver, 'acme/a', await openHolder(driver))
    const role = newName('role')
    await sql(
      connectionString,
      `CREATE ROLE ${role} LOGIN; GRANT USAGE ON SCHEMA ${schema} TO ${role};
       GRANT EXECUTE ON FUNCTION ${schema}.assert_held TO ${role}`,
    )
    const url = new URL(connectionString)
    url.username = role
    const client = await connect(url.href)
    // Whatever it puts before PostgreSQL's own names changes nothing.
    await client.query(
      'CREATE TEMPORARY TABLE concurrency_slots (nothing int); SET search_path = pg_temp, public',
    )
    await client.query('BEGIN')
    await assertHeld(client, slotOf(row), { schema })
    await client.query('COMMIT')
    await expect(client.query(`SELECT FROM ${schema}.concurrency_slots`)).rejects.toMatchObject({
      code: '42501',
    })
  })
})
