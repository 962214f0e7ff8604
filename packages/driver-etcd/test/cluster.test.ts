import { setTimeout as sleep } from 'node:timers/promises'
import { isSlotkeeperError } from '@slotkeeper/core'
import { expect, test, vi } from 'vitest'
import { leaderOf, ownCluster } from './support/cluster.ts'
import { granted, managerOf, repo, until } from './support/store.ts'
import { traffic } from './support/traffic.ts'

vi.setConfig({ testTimeout: 120_000 })

/** How long members are away; longer than an election takes. */
const AWAY_MS = 3000
/** How long there is no majority: longer than the shorter one of two lives of a holder. */
const LONG_AWAY_MS = 20_000
const SHORT_LIFE_MS = 6000

test('a leader that is killed, or stands still, and a cluster without a majority cost time and nothing else', async () => {
  const cluster = await ownCluster({ members: 3, fsync: true })
  const { tokens, goesOn, end } = traffic(cluster.endpoints, 2)
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
})

test('without a majority for 20 s nothing is granted and nothing lost: slots are kept by those whose time is not over, and given up by the others first', async () => {
  const cluster = await ownCluster({ members: 3, fsync: true })
  const { endpoints } = cluster
  const patient = managerOf({ endpoints }, { callTimeoutMs: 3000 })
  const hasty = managerOf({ endpoints }, { callTimeoutMs: 3000, holderTtlMs: SHORT_LIFE_MS })
  const [kept, lost] = [await granted(patient, 'acme/kept', 2), await granted(hasty, 'acme/lost', 2)]
  const job = await hasty.acquireSlot({ repository: repo(1, 'jobs'), run: 'acme/job', durable: true })
  expect(job.kind).toBe('granted')
  const turns: string[] = []
  const waiting = (['acme/third', 'acme/fourth'] as const).map(async (run, n) => {
    // One after the other, as their turns are to be.
    await until('the one before waits', async () => (await patient.getCurrentSlots('acme/api')).waiting === n)
    const slot = await patient.waitForSlot({ repository: repo(2), run })
    turns.push(run)
    return slot
  })
  await until('both wait', async () => (await patient.getCurrentSlots('acme/api')).waiting === 2)

  const leader = await leaderOf(cluster)
  const others = cluster.members.filter((member) => member !== leader)
  const since = performance.now()
  await Promise.all(others.map((member) => member.stop('SIGKILL')))
  const calls = [
    patient.acquireSlot({ repository: repo(9, 'free'), run: 'acme/never' }),
    patient.getCurrentSlots('acme/api'),
    hasty.queueManager.addToPendingQueue(repo(9, 'free'), [{ run: 'acme/never' }]),
  ]
  await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject({ retryable: true })))
  await until('20 s are over', () => {
    expect(kept.isHeld).toBe(true)
    expect(turns).toEqual([])
    return performance.now() > since + LONG_AWAY_MS
  })
  expect(lost.isHeld).toBe(false)
  expect(isSlotkeeperError(lost.signal.reason, 'SLOTKEEPER_SLOT_LOST')).toBe(true)
  await Promise.all(others.map((member) => member.start()))

  const third = await waiting[0]
  expect(third?.fencingToken).toBeGreaterThan(lost.fencingToken)
  expect(kept.isHeld).toBe(true)
  expect(turns).toEqual(['acme/third'])
  const { waiting: left, running } = await patient.getCurrentSlots('acme/api')
  expect([left, running], 'nobody was lost, nobody is too many').toEqual([1, 2])
  expect((await kept.release()).kind).toBe('released')
  expect((await waiting[1])?.fencingToken).toBeGreaterThan(third?.fencingToken ?? 0n)
  await until('the durable slot of who was lost can be adopted', async () => {
    const adopted = await patient.adoptSlot({ repository: 'acme/jobs', run: 'acme/job' })
    return adopted.kind === 'granted'
  })
})
