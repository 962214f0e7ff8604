import { expect, test, vi } from 'vitest'
import { userOf } from './support/cluster.ts'
import { endpoints, newPrefix } from './support/servers.ts'
import { managerOf, repo, until } from './support/store.ts'

vi.setConfig({ testTimeout: 120_000 })

const DOMAINS = 3000
/** So many at a time: a process that asks for thousands cannot do its heartbeats in time on a busy machine. */
const AT_ONCE = 100

test('of a dead holder with slots in 3,000 repositories all are given back, by those who live and without being asked', async () => {
  const prefix = newPrefix()
  const [dies, ...living] = [0, 1, 2].map(() => managerOf({ endpoints: endpoints(), prefix })) as [
    ReturnType<typeof managerOf>,
    ...ReturnType<typeof managerOf>[],
  ]
  const holders = new Set<string | undefined>()
  for (let from = 0; from < DOMAINS; from += AT_ONCE)
    await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, n) => {
        const outcome = await dies.acquireSlot({ repository: repo(1, `repo-${from + n}`), run: 'acme/dies' })
        if (outcome.kind !== 'granted') throw new Error('not granted')
        holders.add(outcome.slot.holder)
      }),
    )
  expect(holders.size).toBe(1)
  const [holder] = holders
  // Each waits for one of them.
  const waiting = living.map((manager, n) =>
    manager.waitForSlot({ repository: repo(1, `repo-${n}`), run: `acme/waits-${n}` }),
  )
  await until('they wait', async () => (await dies.getCurrentSlots('acme/repo-1')).waiting === 1)
  const client = userOf(endpoints())
  const key = Buffer.from(`${prefix}/watched/holder/${holder}`)
  const { kvs } = await client.kv.range({ key })
  await client.leaseClient.leaseRevoke({ ID: kvs[0]?.lease as string })
  const since = performance.now()
  await Promise.all(waiting)
  const held = Buffer.from(`${prefix}/held/${holder}/`)
  const end = Buffer.from(`${prefix}/held/${holder}0`)
  await until('none is left', async () => {
    const { count } = await client.kv.range({ key: held, range_end: end, count_only: true })
    return count === '0'
  })
  console.log(`${DOMAINS} domains of a dead holder: ${Math.round(performance.now() - since)} ms`)
  expect((await living[0]?.getCurrentSlots('acme/repo-2999'))?.running).toBe(0)
})
