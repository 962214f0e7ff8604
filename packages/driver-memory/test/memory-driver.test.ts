import { setImmediate } from 'node:timers/promises'
import { Manager, repository } from '@slotkeeper/core'
import { systemClock } from '@slotkeeper/core/driver'
import { fakeClock } from '@slotkeeper/testing'
import { expect, test } from 'vitest'
import { memoryDriver, memoryStore } from '../src/index.ts'

test('slots are limited and handed on in order', async () => {
  await using manager = new Manager({ driver: memoryDriver() })
  const repo = repository('acme/api', { concurrencyLimit: 2 })
  const a = await manager.acquireSlot({ repository: repo, run: 'acme/1' })
  expect(a.kind).toBe('granted')
  const b = await manager.waitForSlot({ repository: repo, run: 'acme/2' })
  const c = manager.waitForSlot({ repository: repo, run: 'acme/3' })
  const d = manager.waitForSlot({ repository: repo, run: 'acme/4', priority: 5 })
  expect(await manager.acquireSlot({ repository: repo, run: 'acme/5' })).toMatchObject({
    kind: 'refused',
    reason: 'limit',
  })

  await b.release()
  const slot = await d
  expect(slot.slotNumber).toBe(2)
  await slot.release()
  await (await c).release()
})
test('two managers on one store', async () => {
  const store = memoryStore()
  await using m1 = new Manager({ driver: memoryDriver({ store }) })
  await using m2 = new Manager({ driver: memoryDriver({ store }) })
  const repo = repository('acme/api', { concurrencyLimit: 1 })
  const a = await m1.waitForSlot({ repository: repo, run: 'acme/1' })
  const b = m2.waitForSlot({ repository: repo, run: 'acme/2' })
  const [c] = await m1.queueManager.addListToRunningQueue(repo, ['acme/3'])
  expect(c).toMatchObject({ kind: 'waiting', place: 2 })
  await a.release()
  const s = await b
  const next = await m1.queueManager.removeAndTakeItemFromQueue(repo, 'acme/2')
  expect(next?.phase).toBe('reserved')
  expect(await next?.claim()).toEqual({ kind: 'running' })
  await new Promise((r) => setTimeout(r, 20))
  expect(s.isHeld).toBe(false)
})

test('a uid that was removed before the store ever heard of it begins nothing later', async () => {
  await using manager = new Manager({ driver: memoryDriver() })
  const life = (uid: string) => ({
    metadata: { namespace: 'acme', name: 'api', uid },
    spec: { concurrencyLimit: 1 },
  })
  expect(await manager.cleanupRepository(life('one'))).toEqual({ removed: 0 })
  expect(await manager.acquireSlot({ repository: life('one'), run: 'acme/1' })).toMatchObject({
    reason: 'removed',
  })
  const two = await manager.acquireSlot({ repository: life('two'), run: 'acme/1' })
  expect(two.kind).toBe('granted')
  expect(await manager.acquireSlot({ repository: life('one'), run: 'acme/2' })).toMatchObject({
    reason: 'removed',
  })
  expect(await manager.acquireSlot({ repository: life('two'), run: 'acme/2' })).toMatchObject({
    reason: 'limit',
  })
})

test('a reservation that went with its repository is not parked when its claim would have been over', async () => {
  let aheadMs = 0
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + aheadMs }
  await using manager = new Manager({ driver: memoryDriver({ clock }), holderTtlMs: 600_000 })
  const repo = repository('acme/api', { concurrencyLimit: 1 })
  const [entry] = await manager.queueManager.addListToRunningQueue(repo, ['acme/1'])
  expect(entry?.kind).toBe('reserved')
  await manager.cleanupRepository(repo)
  const slot = await manager.waitForSlot({ repository: repo, run: 'acme/2' })
  aheadMs = 61_000
  await manager.acquireSlot({ repository: repo, run: 'acme/3' })
  expect(await manager.getCurrentSlots(repo)).toMatchObject({ running: 1, waiting: 0 })
  await slot.release()
})

test('a slot that another Manager handed over is released once, and frees its place', async () => {
  // Time stands still, so that nobody looks for himself.
  const clock = fakeClock()
  const store = memoryStore()
  await using one = new Manager({ driver: memoryDriver({ store, clock }), clock })
  await using other = new Manager({ driver: memoryDriver({ store, clock }), clock })
  const single = repository('acme/single', { concurrencyLimit: 1 })
  // Who asks first makes the repository, which takes a decision; those after it need none.
  await (await one.waitForSlot({ repository: single, run: 'acme/zeroth' })).release()
  const first = await one.waitForSlot({ repository: single, run: 'acme/first' })
  const second = other.waitForSlot({ repository: single, run: 'acme/second' })
  // Whoever begins to wait looks once; what comes after it is told.
  await setImmediate()
  expect(await first.release()).toEqual({ kind: 'released', promoted: ['acme/second'] })
  const third = one.waitForSlot({ repository: single, run: 'acme/third' })
  expect(await (await second).release()).toEqual({ kind: 'released', promoted: ['acme/third'] })
  expect(await (await second).release()).toEqual({ kind: 'already-released' })
  await (await third).release()
  expect(await one.getRunningPipelineRuns(single)).toEqual([])
  expect(await one.getCurrentSlots(single)).toMatchObject({ running: 0, waiting: 0 })
})

test('a slot whose repository was removed and made again frees nothing of the new life', async () => {
  await using manager = new Manager({ driver: memoryDriver() })
  const of = repository('acme/again', { concurrencyLimit: 1 })
  await (await manager.waitForSlot({ repository: of, run: 'acme/zeroth' })).release()
  const old = await manager.waitForSlot({ repository: of, run: 'acme/run' })
  await manager.cleanupRepository('acme/again')
  const young = await manager.waitForSlot({ repository: of, run: 'acme/run' })
  expect((await old.release()).kind).toBe('lost')
  expect(await manager.getCurrentSlots(of)).toMatchObject({ running: 1 })
  expect((await young.release()).kind).toBe('released')
})
