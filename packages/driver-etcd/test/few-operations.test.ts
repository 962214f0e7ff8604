import type { RunKey } from '@slotkeeper/core'
import type { HolderId } from '@slotkeeper/core/driver'
import { expect, test, vi } from 'vitest'
import { ownCluster, userOf } from './support/cluster.ts'
import { acquire, decideFor } from './support/commands.ts'
import { driverOf, managerOf, repo, until } from './support/store.ts'

vi.setConfig({ testTimeout: 90_000 })

const flags = { 'max-txn-ops': '64' }

test('a server that takes 64 operations is enough for many at once, many priorities and a removal', async () => {
  const { endpoints } = await ownCluster({ flags })
  const manager = managerOf({ endpoints, maxOperations: 64 }, { callTimeoutMs: 30_000 })
  const ask = (n: number) => manager.waitForSlot({ repository: repo(0), run: `acme/run-${n}` })
  const slots = await Promise.all(Array.from({ length: 150 }, (_, n) => ask(n)))
  expect(new Set(slots.map(({ fencingToken }) => fencingToken)).size).toBe(150)
  const entries = Array.from({ length: 300 }, (_, n) => ({
    run: `acme/entry-${n}` as RunKey,
    priority: ((n * 37) % 100) - 50,
  }))
  await manager.queueManager.addToPendingQueue(repo(1), entries)
  const order = [...entries].sort(
    (a, b) => b.priority - a.priority || entries.indexOf(a) - entries.indexOf(b),
  )
  expect((await manager.getQueuedPipelineRuns('acme/api')).map(({ run }) => run)).toEqual(
    order.map(({ run }) => run),
  )
  const ends = await Promise.all(slots.map((slot) => slot.release()))
  expect(new Set(ends.map(({ kind }) => kind))).toEqual(new Set(['released']))
  for (const { run } of order.slice(0, 100)) {
    expect((await manager.getCurrentSlots('acme/api')).reserved).toBe(1)
    const next = await manager.queueManager.removeAndTakeItemFromQueue(repo(1), run)
    expect(next?.run).toBe(order[order.findIndex((entry) => entry.run === run) + 1]?.run)
  }
  expect(await manager.queueManager.removeRepository('acme/api')).toEqual({ removed: 200 })
})

test('a server that takes 64 operations is enough for many holders of one repository, and their deaths', async () => {
  const { endpoints } = await ownCluster({ flags })
  const driver = driverOf({ endpoints, maxOperations: 64 })
  await driver.open({ schema: 'migrate' })
  const holders = Array.from({ length: 120 }, (_, n) => `holder-${n}` as HolderId)
  await Promise.all(holders.map(async (holder) => driver.openHolder(holder, 60_000)))
  await decideFor(
    driver,
    holders.map((holder) => acquire(holder)),
  )
  // More priorities, and more holders, than one request has room for.
  await decideFor(
    driver,
    Array.from({ length: 60 }, (_, priority) =>
      acquire('holder-0' as HolderId, { run: `acme/entry-${priority}`, limit: 1, priority }),
    ),
  )
  const [lives, ...dead] = holders as [HolderId, ...HolderId[]]
  await Promise.all(dead.map(async (holder) => driver.closeHolder(holder)))
  const live = async () => {
    const { repositories } = await driver.read({ kind: 'repositories', after: '', first: 1 })
    return repositories[0]?.live
  }
  while ((await live()) !== 1) {
    await driver.sweep(100)
    await decideFor(driver, [])
  }
  const { runs } = await driver.read({ kind: 'holder', holder: lives })
  expect(runs.length).toBe(61)
})

test('a server that takes 64 operations is enough for a sweep of more repositories than that', async () => {
  const { endpoints } = await ownCluster({ flags })
  const options = { endpoints, maxOperations: 64 }
  const [manager, driver] = [managerOf(options, { claimTimeoutMs: 3000 }), driverOf(options)]
  const names = Array.from({ length: 70 }, (_, n) => `repo-${n}`)
  // Reservations that nobody claims.
  await Promise.all(
    names.map((name) => manager.queueManager.addListToRunningQueue(repo(1, name), ['acme/unclaimed'])),
  )
  await manager.close()
  await driver.open({ schema: 'check' })
  const client = userOf(endpoints)
  const wakes = await client.getAll().prefix('/slotkeeper/wake/').keys()
  expect(wakes.length).toBe(70)
  const last = wakes.sort().at(-1)?.slice('/slotkeeper/wake/'.length) as string
  await until('all are due', async () => {
    await driver.health()
    return ((await client.get('/slotkeeper/clock').string()) ?? '') > last
  })
  expect((await driver.sweep(100)).domains.length).toBe(70)
})

test('a server that takes fewer operations than it is thought to is told so, with the option to set', async () => {
  const { endpoints } = await ownCluster({ flags })
  const manager = managerOf({ endpoints })
  // So much that each has keys of its own.
  const meta = { about: 'x'.repeat(3000) }
  const entries = Array.from({ length: 100 }, (_, n) => ({ run: `acme/entry-${n}` as RunKey, meta }))
  await expect(manager.queueManager.addToPendingQueue(repo(1), entries)).rejects.toMatchObject({
    code: 'SLOTKEEPER_STORE_UNSUITABLE',
    retryable: false,
    message: expect.stringContaining('maxOperations'),
  })
})
