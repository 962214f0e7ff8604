import type { Manager, Repository, RunKey, Slot } from '@slotkeeper/core'
import { expect, test, vi } from 'vitest'
import { raiseTokenFloor } from '../src/index.ts'
import { userOf } from './support/cluster.ts'
import { deafWay } from './support/deaf-way.ts'
import { endpoints, newPrefix } from './support/servers.ts'
import { managerOf, repo, until } from './support/store.ts'

vi.setConfig({ testTimeout: 60_000 })

/** Two processes, of which both know the repository: each has had a slot of it. */
async function twoWhoKnow(limit: number): Promise<{ a: Manager; b: Manager; prefix: string }> {
  const prefix = newPrefix()
  const [a, b] = [
    managerOf({ endpoints: endpoints(), prefix }),
    managerOf({ endpoints: endpoints(), prefix }),
  ]
  for (const manager of [a, b]) await (await granted(manager, 'acme/once', limit)).release()
  return { a, b, prefix }
}

async function granted(manager: Manager, run: RunKey, limit = 1): Promise<Slot> {
  const outcome = await manager.acquireSlot({ repository: repo(limit), run })
  if (outcome.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(outcome)}`)
  return outcome.slot
}

test('where nobody else was a slot and its return are one commit each', async () => {
  const prefix = newPrefix()
  const manager = managerOf({ endpoints: endpoints(), prefix })
  await (await granted(manager, 'acme/once')).release()
  const client = userOf(endpoints())
  const key = Buffer.from(`${prefix}/domain/acme/api`)
  const versionOf = async () => Number((await client.kv.range({ key })).kvs[0]?.version)
  const before = await versionOf()
  for (let n = 0; n < 5; n++) await (await granted(manager, `acme/run-${n}`)).release()
  expect(await versionOf()).toBe(before + 10)
})

test('a slot that somebody else took meanwhile is not given again', async () => {
  const { a, b } = await twoWhoKnow(1)
  for (let n = 0; n < 5; n++) {
    const slot = await granted(b, `acme/b-${n}`)
    const outcome = await a.acquireSlot({ repository: repo(1), run: `acme/a-${n}` })
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'limit', running: 1 })
    await slot.release()
    await (await granted(a, `acme/a-${n}`)).release()
  }
})

test('what is remembered refuses nobody: a slot that somebody else gave back is free', async () => {
  const { a, b } = await twoWhoKnow(1)
  const slot = await granted(b, 'acme/b')
  expect((await a.acquireSlot({ repository: repo(1), run: 'acme/a' })).kind).toBe('refused')
  await slot.release()
  await (await granted(a, 'acme/a')).release()
})

test('a limit that somebody else has changed holds for the next decision', async () => {
  const { a, b } = await twoWhoKnow(2)
  const at = (generation: number, concurrencyLimit: number): Repository => ({
    metadata: { namespace: 'acme', name: 'api', generation },
    spec: { concurrencyLimit },
  })
  const first = await a.acquireSlot({ repository: at(1, 2), run: 'acme/first' })
  expect(first.kind).toBe('granted')
  await b.setRepositoryLimit(at(2, 1))
  const second = await a.acquireSlot({ repository: at(1, 2), run: 'acme/second' })
  expect(second).toMatchObject({ kind: 'refused', reason: 'limit', limit: 1 })
})

test('an attempt whose answer got lost is granted once, with one token', async () => {
  const [target] = endpoints() as [string]
  const way = await deafWay(target)
  const prefix = newPrefix()
  const manager = managerOf({ endpoints: [way.endpoint], prefix })
  await (await granted(manager, 'acme/once')).release()
  const looker = managerOf({ endpoints: endpoints(), prefix })
  const running = async () => (await looker.getCurrentSlots('acme/api')).running
  await looker.health()
  way.deafen()
  const asking = granted(manager, 'acme/run')
  await until('it is committed, of which nobody hears', async () => (await running()) === 1)
  way.heal()
  const slot = await asking
  const [found] = await looker.getRunningPipelineRuns('acme/api')
  expect(found?.fencingToken).toBe(slot.fencingToken)
  expect(await slot.release()).toMatchObject({ kind: 'released' })
  expect(await running()).toBe(0)
})

test('the record of a run that is over is found, although the repository is remembered', async () => {
  const { a } = await twoWhoKnow(1)
  const ask = () => a.acquireSlot({ repository: repo(1), run: 'acme/run', runUid: 'one' })
  const first = await ask()
  if (first.kind !== 'granted') throw new Error('not granted')
  await first.slot.release()
  expect(await ask()).toMatchObject({ kind: 'refused', reason: 'finished' })
})

test('nothing is given to a holder that died after the last look at it', async () => {
  const { a, prefix } = await twoWhoKnow(2)
  const { holder } = await granted(a, 'acme/first', 2)
  const client = userOf(endpoints())
  const { kvs } = await client.kv.range({ key: Buffer.from(`${prefix}/watched/holder/${holder}`) })
  await client.leaseClient.leaseRevoke({ ID: kvs[0]?.lease as string })
  const slot = await granted(a, 'acme/second', 2)
  expect(slot.holder).not.toBe(holder)
})

test('a repository that was removed and made again meanwhile gives higher tokens, and knows no old slot', async () => {
  const { a, b } = await twoWhoKnow(1)
  const old = await granted(a, 'acme/old')
  await b.cleanupRepository('acme/api')
  await until('it is gone', async () => (await b.getCurrentSlots('acme/api')).running === 0)
  const other = await granted(b, 'acme/other')
  expect(other.fencingToken).toBeGreaterThan(old.fencingToken)
  expect((await a.acquireSlot({ repository: repo(1), run: 'acme/new' })).kind).toBe('refused')
  expect((await old.release()).kind).toBe('lost')
  await other.release()
  expect((await granted(a, 'acme/new')).fencingToken).toBeGreaterThan(other.fencingToken)
})

test('tokens of a process that goes on are above a floor that was raised meanwhile', async () => {
  const { a, prefix } = await twoWhoKnow(1)
  await (await granted(a, 'acme/last')).release()
  const floor = await raiseTokenFloor({ endpoints: endpoints(), prefix })
  expect((await granted(a, 'acme/run')).fencingToken).toBeGreaterThan(floor)
})

test('no decision is made at a time before that which others have told', async () => {
  const { a, prefix } = await twoWhoKnow(1)
  await (await granted(a, 'acme/last')).release()
  const client = userOf(endpoints())
  const second = 1000
  const clock = Number(await client.get(`${prefix}/clock`).string()) + second
  await client.put(`${prefix}/clock`).value(String(clock).padStart(16, '0'))
  await granted(a, 'acme/run')
  const { committedAt } = JSON.parse((await client.get(`${prefix}/domain/acme/api`).string()) ?? '')
  expect(committedAt).toBeGreaterThanOrEqual(clock)
})

test('a queue that is longer than a document goes on in its order, priorities first', async () => {
  const prefix = newPrefix()
  const manager = managerOf({ endpoints: endpoints(), prefix })
  const held = await granted(manager, 'acme/first')
  const runs = Array.from({ length: 150 }, (_, n) => ({
    run: `acme/run-${n}` as const,
    priority: n % 10 === 9 ? 1 : 0,
  }))
  await manager.queueManager.addToPendingQueue(repo(1), runs)
  const order = [...runs].sort((x, y) => y.priority - x.priority).map(({ run }) => run)
  expect((await manager.getQueuedPipelineRuns('acme/api')).map(({ run }) => run)).toEqual(order)
  const taken: string[] = []
  let next: Slot | undefined = held
  while (next !== undefined) {
    next = await manager.queueManager.removeAndTakeItemFromQueue(repo(1), next.run)
    if (next !== undefined) taken.push(next.run)
  }
  expect(taken).toEqual(order)
})

test('slots of a repository without a limit are all there, however many', async () => {
  const manager = managerOf({ endpoints: endpoints(), prefix: newPrefix() })
  const slots = await Promise.all(
    Array.from({ length: 150 }, async (_, n) => granted(manager, `acme/run-${n}`, 0)),
  )
  const running = await manager.getRunningPipelineRuns('acme/api')
  expect(new Set(running.map(({ run }) => run)).size).toBe(150)
  await Promise.all(slots.map((slot) => slot.release()))
  expect((await manager.getCurrentSlots('acme/api')).running).toBe(0)
})
