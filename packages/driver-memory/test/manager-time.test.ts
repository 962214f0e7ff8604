import { isSlotkeeperError, Manager, repository } from '@slotkeeper/core'
import { fakeClock } from '@slotkeeper/testing'
import { expect, test, vi } from 'vitest'
import { memoryDriver, memoryStore } from '../src/index.ts'

const repo = repository('acme/api', { concurrencyLimit: 1 })

/** Two Managers on one store and one clock; the first one's driver can be cut off from the store. */
function pair() {
  const clock = fakeClock()
  const store = memoryStore()
  const driver = memoryDriver({ store, clock })
  let cut = false
  const guard =
    <A extends unknown[], R>(call: (...args: A) => R) =>
    (...args: A): R => {
      if (cut) throw new Error('cut off')
      return call(...args)
    }
  const heartbeat = driver.heartbeat.bind(driver)
  driver.heartbeat = guard(heartbeat)
  const first = new Manager({ driver, clock, label: 'first' })
  const second = new Manager({ driver: memoryDriver({ store, clock }), clock, label: 'second' })
  const close = () => Promise.all([first.close(), second.close()])
  return {
    clock,
    first,
    second,
    close,
    cut: () => (cut = true),
    [Symbol.asyncDispose]: async () => void (await close()),
  }
}

test('9. the signal aborts before the store may give the slot away', async () => {
  await using t = pair()
  const slot = await t.first.waitForSlot({ repository: repo, run: 'acme/1' })
  const next = t.second.waitForSlot({ repository: repo, run: 'acme/2' })
  let granted = false
  void next.then(() => (granted = true))
  t.cut()
  await t.clock.advance(26_000)
  expect(slot.isHeld).toBe(true)
  while (!slot.signal.aborted) {
    expect(granted).toBe(false)
    await t.clock.advance(100)
  }
  expect(granted).toBe(false)
  expect(slot.isHeld).toBe(false)
  expect(isSlotkeeperError(slot.signal.reason, 'SLOTKEEPER_SLOT_LOST')).toBe(true)
  await t.clock.advance(15_000)
  expect(granted).toBe(true)
  await (await next).release()
})

test('9. isHeld is false after a blocked event loop, before any timer could ring', async () => {
  await using t = pair()
  const slot = await t.first.waitForSlot({ repository: repo, run: 'acme/1' })
  t.clock.block(27_001)
  expect(slot.isHeld).toBe(false)
  expect(() => slot.assertHeld()).toThrow('no heartbeat succeeded')
})

test('9. isHeld is false after a suspension that stops the monotonic clock', async () => {
  await using t = pair()
  const slot = await t.first.waitForSlot({ repository: repo, run: 'acme/1' })
  t.clock.suspend(27_001)
  expect(slot.isHeld).toBe(false)
})

test('heartbeats keep a slot for as long as it is held', async () => {
  await using t = pair()
  const slot = await t.first.waitForSlot({ repository: repo, run: 'acme/1' })
  await t.clock.advance(3_600_000)
  expect(slot.isHeld).toBe(true)
  expect(await t.second.acquireSlot({ repository: repo, run: 'acme/2' })).toMatchObject({
    kind: 'refused',
    reason: 'limit',
  })
  expect(await slot.release()).toMatchObject({ kind: 'released' })
})

test('8. a dead worker’s slot goes to the next within its TTL and one sweep', async () => {
  await using t = pair()
  await t.first.waitForSlot({ repository: repo, run: 'acme/1' })
  const next = t.second.waitForSlot({ repository: repo, run: 'acme/2' })
  let granted = false
  void next.then(() => (granted = true))
  t.cut()
  await t.clock.advance(40_000)
  expect(granted).toBe(true)
  await (await next).release()
})

test('8. a dead controller’s slot is orphaned, still counted, and adopted under a new token', async () => {
  await using t = pair()
  const outcome = await t.first.acquireSlot({ repository: repo, run: 'acme/1', durable: true })
  if (outcome.kind !== 'granted') throw new Error(outcome.kind)
  const waiting = t.second.waitForSlot({ repository: repo, run: 'acme/2' })
  waiting.catch(() => {})
  t.cut()
  await t.clock.advance(45_000)
  expect(await t.second.getCurrentSlots(repo)).toMatchObject({ orphaned: 1, running: 0, waiting: 1 })
  expect(await t.first.adoptSlot({ repository: 'acme/other', run: 'acme/1' })).toMatchObject({
    kind: 'refused',
    reason: 'removed',
  })
  const adopted = await t.second.adoptSlot({ repository: 'acme/api', run: 'acme/1' })
  if (adopted.kind !== 'granted') throw new Error(adopted.kind)
  expect(adopted.slot.fencingToken > outcome.slot.fencingToken).toBe(true)
  expect(await outcome.slot.release()).toEqual({ kind: 'lost', reason: 'stale-lease' })
  expect(await adopted.slot.release()).toMatchObject({ kind: 'released', promoted: ['acme/2'] })
  await (await waiting).release()
})

test('an unclaimed reservation is parked for its place, and the next one goes', async () => {
  await using t = pair()
  const queue = t.first.queueManager
  const [a, b] = await queue.addListToRunningQueue(repo, ['acme/a', 'acme/b'])
  expect([a?.kind, b?.kind]).toEqual(['reserved', 'waiting'])
  const stop = t.second.queueManager.setupWatcher(repo, () => {})
  await t.clock.advance(75_000)
  expect(await t.second.explain(repo, 'acme/a')).toMatchObject({ kind: 'parked' })
  expect(await t.second.explain(repo, 'acme/b')).toMatchObject({ kind: 'reserved' })
  // Whoever asks again is there: the entry is eligible at once, in front of those behind it.
  expect(await queue.addListToRunningQueue(repo, ['acme/c', 'acme/a'])).toMatchObject([
    { kind: 'waiting', place: 2 },
    { kind: 'waiting', place: 1 },
  ])
  stop()
})

test('maxHoldMs ends the slot here before it ends in the store', async () => {
  await using t = pair()
  const slot = await t.first.waitForSlot({ repository: repo, run: 'acme/1', maxHoldMs: 60_000 })
  const next = t.second.waitForSlot({ repository: repo, run: 'acme/2' })
  let granted = false
  void next.then(() => (granted = true))
  await t.clock.advance(59_500)
  expect(slot.signal.aborted).toBe(true)
  expect(granted).toBe(false)
  await t.clock.advance(12_000)
  expect(granted).toBe(true)
  await (await next).release()
})

test('an idle Manager sets no timer and sends no heartbeat', async () => {
  await using t = pair()
  const slot = await t.first.waitForSlot({ repository: repo, run: 'acme/1' })
  await slot.release()
  await t.clock.advance(60_000)
  expect(t.clock.pending).toBe(0)
  const again = await t.first.waitForSlot({ repository: repo, run: 'acme/2' })
  expect(again.isHeld).toBe(true)
  expect(again.holder).not.toBe(slot.holder)
})

test('a waiter whose holder was lost keeps its place', async () => {
  await using t = pair()
  const slot = await t.second.waitForSlot({ repository: repo, run: 'acme/1' })
  const order: string[] = []
  const waits = [
    t.first.waitForSlot({ repository: repo, run: 'acme/2' }),
    t.second.waitForSlot({ repository: repo, run: 'acme/3' }),
  ]
  for (const wait of waits) void wait.then((got) => order.push(got.run))
  // The first Manager stands still for longer than its TTL, the second one goes on.
  t.clock.suspend(0)
  t.cut()
  await t.clock.advance(35_000)
  await slot.release()
  await t.clock.advance(1_000)
  expect(order).toEqual(['acme/2'])
  await (await waits[0])?.release()
  await (await waits[1])?.release()
})

test('7. entries that are seen to wait in this process are read by no look, however long they wait', async () => {
  const clock = fakeClock()
  const driver = memoryDriver({ clock })
  const rows = vi.spyOn(driver, 'read')
  await using manager = new Manager({ driver, clock })
  const slot = await manager.waitForSlot({ repository: repo, run: 'acme/1' })
  const waiting = [2, 3, 4].map((at) => manager.waitForSlot({ repository: repo, run: `acme/${at}` }))
  await clock.advance(120_000)
  const read = rows.mock.results.flatMap(({ value }) => (value as { runs: { run: string }[] }).runs)
  expect(rows).toHaveBeenCalled()
  expect(new Set(read.map(({ run }) => run))).toEqual(new Set(['acme/1']))
  await slot.release()
  for (const next of waiting) await (await next).release()
})
