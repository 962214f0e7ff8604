import { Manager, repository } from '@slotkeeper/core'
import pg from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { throughProxy } from './support/proxy.ts'
import { newDatabase, newestUrl, newName } from './support/servers.ts'
import { acquire, batchOf, decide, driverOf, grantOf, openDriver, openHolder } from './support/store.ts'

let connectionString = ''
beforeAll(async () => {
  connectionString = await newDatabase(newestUrl())
})

function newPool(max: number): pg.Pool {
  const pool = new pg.Pool({ connectionString, max })
  onTestFinished(() => pool.end())
  return pool
}

test('a pool of the user’s is used, stays open, and its connections are as they were', async () => {
  const pool = newPool(2)
  const settings = `SELECT name, setting FROM pg_settings
    WHERE name IN ('search_path', 'enable_seqscan', 'lock_timeout', 'plan_cache_mode', 'idle_in_transaction_session_timeout') ORDER BY 1`
  const before = (await pool.query(settings)).rows
  const driver = driverOf({ pool, schema: newName('s') })
  {
    await using manager = new Manager({ driver })
    const repo = repository('acme/api', { concurrencyLimit: 1 })
    for (const n of [1, 2, 3])
      await manager.withSlot({ repository: repo, run: `acme/${n}` }, async (slot) =>
        expect(slot.isHeld).toBe(true),
      )
  }
  for (let n = 0; n < 4; n++) expect((await pool.query(settings)).rows).toEqual(before)
})

test('a call that finds no connection free in its pool gives up with its signal, and the next one works; heartbeats need none of it', async () => {
  const pool = newPool(1)
  const driver = await openDriver({ pool, schema: newName('s') })
  const holder = await openHolder(driver)
  const taken = await pool.connect()
  const controller = new AbortController()
  const batch = batchOf([acquire('acme/a', holder)], holder)
  const decision = driver.transact([batch], decide, controller.signal)
  expect(await driver.heartbeat(holder)).toMatchObject({ ttlMs: 30_000 })
  controller.abort(new Error('given up'))
  await decision
  expect(batch.error?.retryable).toBe(true)
  taken.release()
  await grantOf(driver, 'acme/a', holder)
})

test('a heartbeat is one round trip, whatever number of slots is held', async () => {
  const proxy = await throughProxy(connectionString)
  const driver = await openDriver({ connectionString: proxy.url, schema: newName('s') })
  const holder = await openHolder(driver)
  for (let n = 0; n < 100; n++) await grantOf(driver, `acme/${n}`, holder, { proposal: { limit: 0 } })
  await driver.heartbeat(holder) // on a connection that was not there before
  const before = proxy.roundTrips()
  expect(await driver.heartbeat(holder)).toMatchObject({ ttlMs: 30_000, sweep: false })
  expect(proxy.roundTrips() - before).toBe(1)
})
