import { setTimeout as sleep } from 'node:timers/promises'
import { Manager, repository } from '@slotkeeper/core'
import { expect, test } from 'vitest'
import { OwnServer } from './support/own-server.ts'
import { throughProxy } from './support/proxy.ts'
import { sql } from './support/servers.ts'
import { ask, driverOf, grantOf, openDriver, openHolder, release } from './support/store.ts'

const TTL_MS = 1000
const hot = repository('acme/api', { concurrencyLimit: 1 })

/** Asks again until it is so; the test's own time limit is the limit. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition().catch(() => false))) await sleep(20)
}

/** By the clock of the server that answers now, every holder's time is over. */
const isOver = (url: string) => async () => {
  const [row] = await sql(
    url,
    'SELECT bool_and(expires_at < extract(epoch FROM clock_timestamp()) * 1000) AS over FROM slotkeeper.holders',
  )
  return row?.over === true
}

test('after a failover that took longer than their TTL holders have their TTL to come back, and then are overdue', async () => {
  const { primary, standby } = await OwnServer.startWithStandby()
  const proxy = await throughProxy(primary.url)
  const driver = await openDriver({ connectionString: proxy.url })
  const [back, away] = [await openHolder(driver, TTL_MS), await openHolder(driver, TTL_MS)]
  const row = await grantOf(driver, 'acme/held', back)
  await primary.stop('SIGKILL')
  await until(isOver(standby.url))
  await standby.promote()
  proxy.lead(standby.url)
  // Whoever decides before anybody has come back takes nothing from them either.
  expect((await driver.sweep(10)).domains).toEqual([])
  expect(await driver.heartbeat(back)).toMatchObject({ ttlMs: TTL_MS })
  const { holders } = await driver.read({ kind: 'holder', holder: back })
  expect(holders).toMatchObject([{ dead: false }])
  expect((await ask(driver, back, [release(row)])).commands[0]?.outcome).toMatchObject({ kind: 'released' })
  await until(isOver(standby.url))
  await expect(driver.heartbeat(away)).rejects.toMatchObject({ code: 'SLOTKEEPER_HOLDER_LOST' })
}, 90_000)

test('whoever waits gets its slot after a failover to another address, and nobody is granted one twice', async () => {
  const { primary, standby } = await OwnServer.startWithStandby()
  const proxy = await throughProxy(primary.url)
  const managers = ['first', 'second'].map(
    (label) =>
      new Manager({ driver: driverOf({ connectionString: proxy.url }), label, callTimeoutMs: 60_000 }),
  )
  const slot = await (managers[0] as Manager).waitForSlot({ repository: hot, run: 'acme/first' })
  const next = (managers[1] as Manager).waitForSlot({ repository: hot, run: 'acme/second' })
  await until(async () => (await managers[0]?.getQueuedPipelineRuns(hot))?.length === 1)
  await primary.stop('SIGKILL')
  await standby.promote()
  proxy.lead(standby.url)
  await slot.release()
  const second = await next
  expect(second.fencingToken).toBeGreaterThan(slot.fencingToken)
  await second.release()
  for (const manager of managers) await manager.close()
}, 90_000)

test('a full disk is told as such, takes nothing that was there, and what was asked meanwhile comes to nothing', async () => {
  const server = await OwnServer.start()
  const disk = await server.onSmallDisk()
  if (disk === undefined) return // this process may mount none
  await using manager = new Manager({ driver: driverOf({ connectionString: disk.url }) })
  const slot = await manager.waitForSlot({ repository: hot, run: 'acme/first' })
  disk.fill()
  const enqueue = async () => {
    for (let n = 0; ; n++) {
      const runs = Array.from({ length: 200 }, (_, at) => ({ run: `acme/${n}-${at}` as const }))
      await manager.queueManager.addToPendingQueue(hot, runs)
    }
  }
  await expect(enqueue()).rejects.toMatchObject({ code: 'SLOTKEEPER_STORE_FULL', retryable: true })
  const before = await manager.getQueuedPipelineRuns(hot)
  disk.unfill()
  await manager.queueManager.addToPendingQueue(hot, [{ run: 'acme/last' }])
  const after = await manager.getQueuedPipelineRuns(hot)
  expect(after.length).toBe(before.length + 1)
  expect(slot.isHeld).toBe(true)
  await slot.release()
}, 90_000)

for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const)
  test(`waiters get their slots in order after a restart (${signal})`, async () => {
    const server = await OwnServer.start()
    const open = (label: string) =>
      new Manager({ driver: driverOf({ connectionString: server.url }), label, callTimeoutMs: 60_000 })
    const [holding, waiting] = [open('holding'), open('waiting')]
    const slot = await holding.waitForSlot({ repository: hot, run: 'acme/first' })
    const order: string[] = []
    const all: Promise<void>[] = []
    for (const run of ['acme/a', 'acme/b', 'acme/c'] as const) {
      all.push(
        waiting.withSlot({ repository: hot, run }, async () => {
          order.push(run)
        }),
      )
      await until(async () => (await holding.getQueuedPipelineRuns(hot)).length === all.length)
    }
    await server.restart(signal, 0)
    await slot.release()
    await Promise.all(all)
    expect(order).toEqual(['acme/a', 'acme/b', 'acme/c'])
    await Promise.all([holding.close(), waiting.close()])
  }, 90_000)
