import { testManager } from '@slotkeeper/testing'
import { expect, test } from 'vitest'
import { API, repo } from './support.ts'

test('the times of every transition are kept, and how long a run waited and ran', async () => {
  await using t = testManager()
  const { queueManager, stateManager } = t.manager
  const began = t.clock.wall()
  const at = (ms: number) => new Date(began + ms)
  await t.manager.acquireSlot({ repository: repo(), run: 'acme/0' })
  const [waiting] = await queueManager.addListToRunningQueue(repo(), ['acme/1'])
  expect(waiting?.kind).toBe('waiting')
  await t.clock.advance(5000)
  expect(await stateManager.getTimes(API, 'acme/1')).toEqual({
    state: 'queued',
    queuedAt: at(0),
    grantedAt: undefined,
    startedAt: undefined,
    endedAt: undefined,
    queueWaitMs: 5000,
    runMs: undefined,
  })
  const slot = await queueManager.removeAndTakeItemFromQueue(repo(), 'acme/0')
  await t.clock.advance(1000)
  expect(await stateManager.isQueued(API, 'acme/1')).toBe(true)
  await slot?.claim()
  expect(await stateManager.isStarted(API, 'acme/1')).toBe(true)
  await t.clock.advance(7000)
  expect(await stateManager.getTimes(API, 'acme/1')).toMatchObject({
    grantedAt: at(5000),
    startedAt: at(6000),
    queueWaitMs: 6000,
    runMs: 7000,
  })
  await slot?.release()
  await t.clock.advance(9000)
  expect(await stateManager.isCompleted(API, 'acme/1')).toBe(true)
  expect(await stateManager.getTimes(API, 'acme/1')).toMatchObject({
    state: 'completed',
    endedAt: at(13_000),
    queueWaitMs: 6000,
    runMs: 7000,
  })
  expect(await stateManager.getTimes(API, 'acme/unheard-of')).toBeUndefined()
})

test('states that are only noted have their times too', async () => {
  await using t = testManager()
  const { stateManager } = t.manager
  await stateManager.updateToQueued(API, 'acme/1')
  await t.clock.advance(3000)
  await stateManager.updateToStarted(API, 'acme/1')
  await t.clock.advance(4000)
  expect(await stateManager.updateToFailed(API, 'acme/1')).toBe('failed')
  expect(await stateManager.updateToCompleted(API, 'acme/1')).toBe('failed')
  expect(await stateManager.updateToCancelled(API, 'acme/1')).toBe('failed')
  await t.clock.advance(1000)
  expect(await stateManager.getTimes(API, 'acme/1')).toMatchObject({
    state: 'failed',
    queueWaitMs: 3000,
    runMs: 4000,
  })
})

test('a cleaned-up run is unknown, and its uid may be asked for again; one that waits or holds stays', async () => {
  await using t = testManager()
  const { stateManager } = t.manager
  const request = { repository: repo(), run: 'acme/1', runUid: 'uid-1' } as const
  const slot = await t.manager.waitForSlot(request)
  void t.manager.queueManager.addListToRunningQueue(repo(), ['acme/2'])
  expect(await stateManager.cleanup(API, 'acme/1')).toEqual({ kind: 'busy' })
  expect(await stateManager.cleanup(API, 'acme/2')).toEqual({ kind: 'busy' })
  expect(slot.isHeld).toBe(true)
  await slot.release()
  expect(await t.manager.acquireSlot(request)).toMatchObject({ reason: 'finished' })
  expect(await stateManager.cleanup(API, 'acme/1')).toEqual({ kind: 'forgotten' })
  expect(await stateManager.cleanup(API, 'acme/1')).toEqual({ kind: 'absent' })
  expect(await stateManager.getState(API, 'acme/1')).toBeUndefined()
  await t.manager.queueManager.removeFromQueue(API, 'acme/2')
  await t.manager.queueManager.removeAndTakeItemFromQueue(repo(), 'acme/2')
  const again = await t.manager.acquireSlot(request)
  expect(again.kind).toBe('granted')
  expect(again.kind === 'granted' && again.slot.fencingToken > slot.fencingToken).toBe(true)
})
