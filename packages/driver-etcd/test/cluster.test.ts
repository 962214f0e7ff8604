import { setTimeout as sleep } from 'node:timers/promises'
import type { RunKey, Slot } from '@slotkeeper/core'
import { expect, test, vi } from 'vitest'
import { leaderOf, ownCluster } from './support/cluster.ts'
import { quietWay } from './support/silence.ts'
import { managerOf, repo, until } from './support/store.ts'

vi.setConfig({ testTimeout: 120_000 })

/** How long the leader is away; longer than an election takes. */
const AWAY_MS = 3000
const LIMIT = 2

/** Bodies in two processes' worth of Managers that take slots all the time, and what they saw. */
function traffic(endpoints: readonly string[]) {
  const managers = [0, 1].map(() => managerOf({ endpoints }, { holderTtlMs: 10_000, callTimeoutMs: 3000 }))
  const controller = new AbortController()
  const tokens: bigint[] = []
  let held = 0
  let most = 0
  const body = async (manager: (typeof managers)[0], name: string) => {
    for (let n = 0; !controller.signal.aborted; n++)
      try {
        const run: RunKey = `acme/${name}-${n}`
        const slot: Slot = await manager.waitForSlot({
          repository: repo(LIMIT),
          run,
          signal: controller.signal,
        })
        // Who is not sure to hold it any more is not counted.
        if (slot.isHeld) {
          held++
          most = Math.max(most, held)
          tokens.push(slot.fencingToken)
          await sleep(1)
          held--
        }
        await slot.release()
      } catch (error) {
        if (controller.signal.aborted) return
        expect(error).toMatchObject({ retryable: true })
      }
  }
  const bodies = managers.flatMap((manager, m) => [0, 1, 2].map((n) => body(manager, `${m}-${n}`)))
  return {
    tokens,
    most: () => most,
    async end() {
      controller.abort()
      await Promise.allSettled(bodies)
    },
  }
}

test('a leader that is killed, or stands still, and a cluster without a majority cost time and nothing else', async () => {
  const cluster = await ownCluster({ members: 3, fsync: true })
  const { tokens, most, end } = traffic(cluster.endpoints)
  const goesOn = async (what: string) => {
    const before = tokens.length
    await until(`slots are granted ${what}`, () => tokens.length > before + 20)
  }
  await goesOn('at first')

  const killed = await leaderOf(cluster)
  await killed.stop('SIGKILL')
  await goesOn('while the leader is dead')
  await killed.start()

  const paused = await leaderOf(cluster)
  paused.pause()
  await goesOn('while the leader stands still')
  await sleep(AWAY_MS)
  paused.resume()
  await goesOn('afterwards')

  const [, ...others] = cluster.members
  for (const member of others) member.pause()
  await sleep(1000)
  const without = tokens.length
  await sleep(AWAY_MS)
  expect(tokens.length, 'nothing is granted without a majority').toBe(without)
  for (const member of others) member.resume()
  await goesOn('once there is a majority again')

  await end()
  expect(most()).toBeLessThanOrEqual(LIMIT)
  expect(new Set(tokens).size).toBe(tokens.length)
  console.log(`cluster: ${tokens.length} grants, ${most()} at once`)
})

test('who is cut off from the member that it uses, and not told so, goes on with another one', async () => {
  const { endpoints } = await ownCluster({ members: 3 })
  const way = await quietWay(endpoints[0] as string)
  const cutOff = managerOf({ endpoints: [way.endpoint, ...endpoints.slice(1)] }, { holderTtlMs: 10_000 })
  const other = managerOf({ endpoints: endpoints.slice(1) })
  const first = await other.waitForSlot({ repository: repo(1), run: 'acme/first' })
  const told: string[] = []
  cutOff.queueManager.setupWatcher('acme/api', (event) => told.push(`${event.kind} ${event.run}`))
  const waiting = cutOff.waitForSlot({ repository: repo(1), run: 'acme/waits' })
  await until('it waits', async () => (await other.getCurrentSlots('acme/api')).waiting === 1)
  way.silence()
  await first.release()
  const slot = await waiting
  expect(slot.fencingToken).toBeGreaterThan(first.fencingToken)
  expect((await slot.release()).kind).toBe('released')
  await until('its watch goes on as well', async () => {
    const next = await other.acquireSlot({ repository: repo(1), run: 'acme/next' })
    if (next.kind === 'granted') await next.slot.release()
    return told.includes('released acme/next')
  })
})
