import type { RunKey } from '@slotkeeper/core'
import { type Clock, type HolderId, systemClock } from '@slotkeeper/core/driver'
import { expect, test, vi } from 'vitest'
import type { EtcdDriverOptions } from '../src/index.ts'
import { userOf } from './support/cluster.ts'
import { endpoints, newPrefix } from './support/servers.ts'
import { driverOf, granted, managerOf, repo, until } from './support/store.ts'
import { wayTo } from './support/way.ts'

vi.setConfig({ testTimeout: 120_000 })

const YEARS_MS = 10 * 365 * 24 * 3_600_000
const LIFE_MS = 3000
const CLAIM_MS = 1500

/** A machine whose wall clock was set wrong, and which was started at another time. */
function elsewhere(wallMs: number, startedMs: number): Clock {
  return {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + startedMs,
    uptime: () => systemClock.uptime() + startedMs,
    wall: () => systemClock.wall() + wallMs,
  }
}

/** Managers on such machines, and one on this one. The first of them makes the store. */
function machines(prefix: string, more: Partial<EtcdDriverOptions> = {}) {
  const clocks = [elsewhere(YEARS_MS, 5e8), elsewhere(-YEARS_MS, 1), systemClock]
  return clocks.map((clock) => {
    // The driver takes its clock as the Manager does; only tests give one.
    const options = { endpoints: endpoints(), prefix, clock, ...more }
    return managerOf(options, { clock, holderTtlMs: LIFE_MS })
  }) as [ReturnType<typeof managerOf>, ReturnType<typeof managerOf>, ReturnType<typeof managerOf>]
}

test('whoever beats lives, and keeps its slot against those whose clocks are years ahead or behind', async () => {
  const managers = machines(newPrefix())
  const slots = [] as Awaited<ReturnType<typeof granted>>[]
  for (const [n, manager] of managers.entries())
    slots.push(await granted(manager, `acme/${n}`, 1, `repo-${n}`))
  const impatient = managers.flatMap((manager, m) =>
    managers.map((_, n) => manager.waitForSlot({ repository: repo(1, `repo-${n}`), run: `acme/${m}-${n}` })),
  )
  let turns = 0
  for (const wait of impatient) void wait.then(() => turns++)
  const since = performance.now()
  await until('every holder has lived for longer than one heartbeat gives it', () => {
    expect([turns, ...slots.map(({ isHeld }) => isHeld)]).toEqual([0, true, true, true])
    return performance.now() > since + 2 * LIFE_MS
  })
  await Promise.all(slots.map((slot) => slot.release()))
  const chains = impatient.map(async (wait) => (await wait).release())
  expect((await Promise.all(chains)).map(({ kind }) => kind)).toEqual(impatient.map(() => 'released'))
})

test('who falls silent knows that its slot is gone before one with another clock has it, and one with another clock does get it', async () => {
  const prefix = newPrefix()
  const way = await wayTo(endpoints()[0] as string)
  const silenced = machines(prefix, { endpoints: [way.endpoint] })
  const others = machines(prefix)
  const slots = [] as Awaited<ReturnType<typeof granted>>[]
  for (const [n, manager] of silenced.entries())
    slots.push(await granted(manager, `acme/${n}`, 1, `repo-${n}`))
  const turns = slots.map(async (slot, n) => {
    // Another one's clock than the holder's.
    const manager = others[(n + 1) % others.length] as (typeof others)[0]
    const next = await manager.waitForSlot({ repository: repo(1, `repo-${n}`), run: 'acme/next' as RunKey })
    return [slot.isHeld, next.fencingToken > slot.fencingToken]
  })
  await until('all wait', async () => {
    const all = await Promise.all(slots.map(({ repository }) => others[2].getCurrentSlots(repository)))
    return all.every(({ waiting }) => waiting === 1)
  })
  way.cut()
  expect(await Promise.all(turns)).toEqual(slots.map(() => [false, true]))
})

test('store time goes no faster than time does, and no wall clock moves it, so nothing that was given time is due early', async () => {
  const prefix = newPrefix()
  // Everybody counts on from the values that were told since then.
  const since = performance.now()
  const clock = elsewhere(YEARS_MS, 7)
  const options = { endpoints: endpoints(), prefix, clock }
  const controller = managerOf(options, { clock, claimTimeoutMs: CLAIM_MS })
  const client = userOf(endpoints())
  const storeTime = async () => Number(await client.get(`${prefix}/clock`).string())
  await controller.health()
  const from = await storeTime()
  const asked = performance.now()
  await controller.queueManager.addListToRunningQueue(repo(1), ['acme/unclaimed', 'acme/next'])
  const others = machines(prefix)
  await until('somebody notices that it was not claimed', async () => {
    // Each of them decides on the repository, by its own clock.
    for (const manager of others) await manager.acquireSlot({ repository: repo(1), run: 'acme/passing' })
    return (await controller.getRunningPipelineRuns('acme/api'))[0]?.run === 'acme/next'
  })
  expect(performance.now() - asked).toBeGreaterThanOrEqual(CLAIM_MS)
  expect((await storeTime()) - from).toBeLessThanOrEqual(performance.now() - since + 1)
})

test('what somebody who has just come gives time is not due early for those who were idle, with a holder or without', async () => {
  const IDLE_MS = 5000
  const HOLD_MS = 1000
  for (const isBusy of [false, true]) {
    const prefix = newPrefix()
    const old = managerOf({ endpoints: endpoints(), prefix })
    await old.health()
    if (isBusy) await granted(old, 'acme/other', 1, 'other')
    const since = performance.now()
    await until('nobody has asked for anything for a while', () => performance.now() > since + IDLE_MS)
    const young = managerOf({ endpoints: endpoints(), prefix })
    const asked = performance.now()
    const held = await young.acquireSlot({ repository: repo(1), run: 'acme/holds', maxHoldMs: HOLD_MS })
    if (held.kind !== 'granted') throw new Error(`It was not granted: ${held.kind}.`)
    await old.waitForSlot({ repository: repo(1), run: 'acme/next' })
    expect(performance.now() - asked).toBeGreaterThanOrEqual(HOLD_MS)
    expect(held.slot.isHeld).toBe(false)
  }
})

test('store time goes on while there is a holder, also when another one of the same process is closed', async () => {
  const prefix = newPrefix()
  const driver = driverOf({ endpoints: endpoints(), prefix })
  await driver.open({ schema: 'migrate' })
  const [first, second] = ['first', 'second'] as [HolderId, HolderId]
  await driver.openHolder(second, 60_000)
  await driver.openHolder(first, 60_000)
  await driver.closeHolder(first)
  const client = userOf(endpoints())
  const storeTime = async () => Number(await client.get(`${prefix}/clock`).string())
  const from = await storeTime()
  await until(
    'store time has gone on by more than it is counted',
    async () => (await storeTime()) > from + 1500,
  )
})

test('however many look at the store, its clock is written once for each of its steps, and goes on', async () => {
  const STEP_MS = 50
  const prefix = newPrefix()
  const drivers = Array.from({ length: 8 }, () => driverOf({ endpoints: endpoints(), prefix }))
  for (const driver of drivers) await driver.open({ schema: 'migrate' })
  const client = userOf(endpoints())
  const clock = async () => {
    const { kvs } = await client.kv.range({ key: Buffer.from(`${prefix}/clock`) })
    return { told: Number(kvs[0]?.value.toString()), writes: Number(kvs[0]?.version) }
  }
  const from = await clock()
  let to = from
  await until('store time has gone on', async () => {
    await Promise.all(drivers.map(async (driver) => await driver.health()))
    to = await clock()
    return to.told > from.told + 2000
  })
  expect(to.writes - from.writes).toBeLessThanOrEqual((to.told - from.told) / STEP_MS)
})
