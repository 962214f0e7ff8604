import pg from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { newDatabase, newName, onEachServer, sql } from './support/servers.ts'
import {
  acquire,
  ask,
  batchOf,
  decide,
  driverOf,
  grantOf,
  openDriver,
  openHolder,
  release,
} from './support/store.ts'

onEachServer((server) => {
  let connectionString = ''
  beforeAll(async () => {
    connectionString = await newDatabase(server.url)
  })

  test('who only checks is told that there is no store, and makes none', async () => {
    const schema = newName('s')
    const driver = driverOf({ connectionString, schema })
    await expect(driver.open({ schema: 'check' })).rejects.toMatchObject({
      code: 'SLOTKEEPER_SCHEMA_MISSING',
    })
    expect(await sql(connectionString, `SELECT FROM pg_namespace WHERE nspname = '${schema}'`)).toEqual([])
  })

  test('a store of a newer release is refused and left as it is', async () => {
    const schema = newName('s')
    await openDriver({ connectionString, schema })
    await sql(connectionString, `UPDATE ${schema}.store SET layout = 99`)
    for (const mode of ['migrate', 'check'] as const)
      await expect(driverOf({ connectionString, schema }).open({ schema: mode })).rejects.toMatchObject({
        code: 'SLOTKEEPER_SCHEMA_TOO_NEW',
      })
    expect(await sql(connectionString, `SELECT layout FROM ${schema}.store`)).toEqual([{ layout: 99 }])
  })

  test('tables of another program are refused and left as they are', async () => {
    for (const table of ['store', 'concurrency_slots', 'holders']) {
      const schema = newName('s')
      await sql(connectionString, `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.${table} (theirs text)`)
      await expect(driverOf({ connectionString, schema }).open({ schema: 'migrate' })).rejects.toMatchObject({
        code: 'SLOTKEEPER_STORE_FOREIGN',
      })
      const columns = `SELECT column_name FROM information_schema.columns
        WHERE table_schema = '${schema}' AND table_name <> 'migrations'`
      expect(await sql(connectionString, columns)).toEqual([{ column_name: 'theirs' }])
    }
  })

  test('many who open a new store at once make one', async () => {
    const schema = newName('s')
    await Promise.all(Array.from({ length: 6 }, () => openDriver({ connectionString, schema })))
    expect(await sql(connectionString, `SELECT layout FROM ${schema}.store`)).toEqual([{ layout: 1 }])
  })

  test('a schema of any name holds a store, and two stores of a database know nothing of each other', async () => {
    const names = [
      `odd "name'; DROP TABLE x -- ${newName('s')}`.slice(0, 60),
      `Ünïcödé ${newName('s')}`,
      newName('s'),
    ]
    for (const schema of names) {
      const driver = await openDriver({ connectionString, schema })
      const holder = await openHolder(driver)
      await ask(driver, holder, [release(await grantOf(driver, 'acme/a', holder))])
      await grantOf(driver, 'acme/a', holder, { proposal: { limit: 1 } })
    }
  })

  test('a role with the rights of the documentation and no others runs a store that it only checks', async () => {
    const schema = newName('s')
    await openDriver({ connectionString, schema })
    const role = newName('role')
    await sql(
      connectionString,
      `CREATE ROLE ${role} LOGIN;
       GRANT USAGE ON SCHEMA ${schema} TO ${role};
       GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.holders, ${schema}.domains, ${schema}.repository_states,
         ${schema}.concurrency_slots TO ${role};
       GRANT SELECT, UPDATE ON ${schema}.store TO ${role};
       GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.hints TO ${role};
       GRANT INSERT ON ${schema}.slot_events TO ${role};
       REVOKE CREATE ON SCHEMA public FROM PUBLIC`,
    )
    const url = new URL(connectionString)
    url.username = role
    const driver = driverOf({ connectionString: url.href, schema, history: true })
    await driver.open({ schema: 'check' })
    const holder = await openHolder(driver)
    const row = await grantOf(driver, 'acme/a', holder)
    const waiting = acquire('acme/b', holder)
    await ask(driver, holder, [waiting])
    await ask(driver, holder, [release(row)])
    await driver.heartbeat(holder)
    await driver.sweep(10)
    await driver.read({ kind: 'repositories', after: '', first: 9 })
    await driver.closeHolder(holder)
    expect((await driver.health()).ok).toBe(true)
    const remove = { kind: 'remove-repository', repository: 'acme/api', ticket: 'r', uid: undefined } as const
    await ask(driver, undefined, [{ ...remove, outcome: undefined }])
    while ((await driver.read({ kind: 'repositories', after: '', first: 9 })).repositories.length > 0)
      await ask(driver, undefined, [{ ...remove, outcome: undefined }])
  })

  test('what the role or the database sets changes no decision', async () => {
    const schema = newName('s')
    const role = newName('role')
    await openDriver({ connectionString, schema })
    // Functions and tables that a trusting program would take for PostgreSQL's own.
    await sql(
      connectionString,
      `CREATE ROLE ${role} LOGIN SUPERUSER; CREATE SCHEMA ${schema}_evil;
       CREATE FUNCTION ${schema}_evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'epoch'::timestamptz $$;
       CREATE FUNCTION ${schema}_evil.pg_advisory_xact_lock(bigint) RETURNS void LANGUAGE sql AS $$ SELECT $$;
       ALTER ROLE ${role} SET search_path = ${schema}_evil, pg_catalog;
       ALTER ROLE ${role} SET default_transaction_isolation = 'serializable';
       ALTER ROLE ${role} SET enable_indexscan = off; ALTER ROLE ${role} SET bytea_output = 'escape';
       ALTER ROLE ${role} SET DateStyle = 'German'; ALTER ROLE ${role} SET extra_float_digits = -15;
       ALTER ROLE ${role} SET TimeZone = 'Pacific/Kiritimati'; ALTER ROLE ${role} SET standard_conforming_strings = off;
       ALTER ROLE ${role} SET array_nulls = off; ALTER ROLE ${role} SET default_transaction_read_only = on`,
    )
    const url = new URL(connectionString)
    url.username = role
    const pool = new pg.Pool({ connectionString: url.href })
    onTestFinished(() => pool.end())
    for (const options of [{ connectionString: url.href }, { pool }]) {
      const driver = driverOf({ ...options, schema })
      await driver.open({ schema: 'check' })
      const holder = await openHolder(driver)
      const row = await grantOf(driver, 'acme/a\\', holder, { priority: 0.1 + 0.2, maxHoldMs: 60_000.123 })
      const { runs, now } = await driver.read({ kind: 'holder', holder })
      expect(runs).toEqual([row])
      expect(now).toBeGreaterThan(1_700_000_000_000)
      await ask(driver, holder, [release(row)])
      // Two at once are told as arrays, of which most values are NULL.
      for (const attempt of [1, 2]) {
        const repositories = ['acme/one', 'acme/two'] as const
        const asked = repositories.map((repository) => acquire(`acme/${attempt}`, holder, { repository }))
        const batches = asked.map((command) => batchOf([command], holder))
        await driver.transact(batches, decide)
        const found = (await driver.read({ kind: 'holder', holder })).runs
        expect(found.map(({ run, runUid, meta }) => [run, runUid, meta])).toEqual(
          asked.map(({ run }) => [run, undefined, undefined]),
        )
        for (const { outcome } of asked)
          if (outcome?.kind === 'granted') await ask(driver, holder, [release(outcome.row)])
      }
    }
  })
})
