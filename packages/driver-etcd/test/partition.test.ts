import type { Manager } from '@slotkeeper/core'
import { expect, test, vi } from 'vitest'
import { leaderOf, ownCluster } from './support/cluster.ts'
import { severableCluster } from './support/severable.ts'
import { granted, managerOf, repo, until } from './support/store.ts'
import { traffic } from './support/traffic.ts'
import { wayTo } from './support/way.ts'

vi.setConfig({ testTimeout: 120_000 })

const LIFE_MS = 6000

/** What somebody is told who asks a member that is cut off; an answer of any kind would be one of the past. */
async function everyCallFails(manager: Manager): Promise<void> {
  const calls = [
    manager.getCurrentSlots('acme/api', { timeoutMs: 1500 }),
    manager.getRepositories({ timeoutMs: 1500 }),
    manager.getPipelineRunState('acme/other', 'acme/changed', { timeoutMs: 1500 }),
    manager.acquireSlot({ repository: repo(9, 'free'), run: 'acme/never', timeoutMs: 1500 }),
    manager.queueManager.addToPendingQueue(repo(9, 'free'), [{ run: 'acme/never' }], { timeoutMs: 1500 }),
  ]
  const failure = {
    code: expect.stringMatching(/^SLOTKEEPER_(STORE_UNAVAILABLE|CALL_TIMEOUT)$/),
    retryable: true,
  }
  await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject(failure)))
}

for (const which of ['a follower', 'the leader'] as const)
  test(`clients of ${which} that is cut off from the other members get errors or go elsewhere, and never an answer of the past`, async () => {
    const cluster = await severableCluster()
    const leader = await leaderOf(cluster)
    const follower = cluster.members.find((member) => member !== leader)
    const alone = which === 'the leader' ? leader : (follower as typeof leader)
    const others = cluster.members.filter((member) => member !== alone).map(({ endpoint }) => endpoint)
    const stuck = managerOf({ endpoints: [alone.endpoint] }, { holderTtlMs: LIFE_MS })
    const roaming = managerOf({ endpoints: [alone.endpoint, ...others] }, { holderTtlMs: LIFE_MS })
    const majority = managerOf({ endpoints: others })
    const slot = await granted(stuck, 'acme/first')
    const kept = await granted(roaming, 'acme/kept', 9, 'other')
    const waiting = majority.waitForSlot({ repository: repo(1), run: 'acme/second' })
    await until('it waits', async () => (await stuck.getCurrentSlots('acme/api')).waiting === 1)

    await cluster.cutOff(alone)
    const gone = everyCallFails(stuck)
    // The others change what was there, so that every answer of before is a wrong one now.
    await until('the others go on', async () => (await granted(majority, 'acme/changed', 9, 'other')).isHeld)
    await gone
    const meanwhile = await granted(roaming, 'acme/meanwhile', 9, 'other')
    expect((await meanwhile.release()).kind).toBe('released')
    const second = await waiting
    expect(slot.isHeld, 'who cannot keep it knows before anybody else has it').toBe(false)
    expect(second.fencingToken).toBeGreaterThan(slot.fencingToken)
    await everyCallFails(stuck)
    expect(kept.isHeld).toBe(true)

    cluster.mend()
    await until('it can be asked again', async () => {
      const { running, waiting: left } = await stuck.getCurrentSlots('acme/api')
      expect([running, left]).toEqual([1, 0])
      return (await stuck.getPipelineRunState('acme/other', 'acme/changed')) === 'started'
    })
    expect((await second.release()).kind).toBe('released')
    const third = await stuck.waitForSlot({ repository: repo(1), run: 'acme/third' })
    expect(third.fencingToken).toBeGreaterThan(second.fencingToken)
  })

test('clients that cannot reach the leader, and are not told so, go on by way of the other members, and so do their watches', async () => {
  const cluster = await ownCluster({ members: 3 })
  const ways = await Promise.all(cluster.endpoints.map((endpoint) => wayTo(endpoint)))
  const leader = cluster.members.indexOf(await leaderOf(cluster))
  // The leader is the one that they use.
  const endpoints = [...ways.slice(leader), ...ways.slice(0, leader)].map(({ endpoint }) => endpoint)
  const { goesOn, end } = traffic(endpoints, 2)
  await goesOn('at first')
  const other = managerOf({ endpoints: cluster.endpoints })
  const first = await granted(other, 'acme/first', 1, 'other')
  const watching = managerOf({ endpoints })
  const told: string[] = []
  watching.queueManager.setupWatcher('acme/other', (event) => told.push(`${event.kind} ${event.run}`))
  const waiting = watching.waitForSlot({ repository: repo(1, 'other'), run: 'acme/waits' })
  await until('it waits', async () => (await other.getCurrentSlots('acme/other')).waiting === 1)

  ways[leader]?.cut()
  await first.release()
  await goesOn('by way of followers')
  const slot = await waiting
  expect(slot.fencingToken).toBeGreaterThan(first.fencingToken)
  expect((await slot.release()).kind).toBe('released')
  await until('its watch goes on as well', async () => {
    const next = await other.acquireSlot({ repository: repo(1, 'other'), run: 'acme/next' })
    if (next.kind === 'granted') await next.slot.release()
    return told.includes('released acme/next')
  })
  ways[leader]?.mend()
  await goesOn('afterwards')
  await end()
})
