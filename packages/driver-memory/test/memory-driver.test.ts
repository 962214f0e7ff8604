import { Manager, repository } from '@slotkeeper/core'
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
