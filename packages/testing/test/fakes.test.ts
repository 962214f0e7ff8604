import assert from 'node:assert/strict'
import { type Manager, repository } from '@slotkeeper/core'
import { test } from 'vitest'
import { recordingLogger } from '../src/fakes/recording-logger.ts'
import { testManager } from '../src/fakes/test-manager.ts'

const repo = repository('acme/api', { concurrencyLimit: 1 })

/** What a user may have written: work that goes on until it is done, or told to stop. */
function deploy(
  manager: Manager,
  run: `${string}/${string}` = 'acme/deploy-1',
): Promise<{ aborted: boolean }> {
  return manager.withSlot(
    { repository: repo, run },
    (slot) =>
      new Promise((resolve) => {
        slot.signal.addEventListener('abort', () => resolve({ aborted: true }), { once: true })
      }),
  )
}

test('the sample of the documentation: work that is cut off from the store stops before its slot is given away', async () => {
  await using t = testManager()
  const result = deploy(t.manager)
  t.partition()
  await t.clock.advance(31_000)
  assert.equal((await result).aborted, true)
})

test('work goes on as long as the store can be reached', async () => {
  await using t = testManager()
  let aborted = false
  void deploy(t.manager).then(() => {
    aborted = true
  })
  await t.clock.advance(300_000)
  assert.equal(aborted, false)
})

test('a short partition costs nothing', async () => {
  await using t = testManager()
  const outcome = await t.manager.acquireSlot({ repository: repo, run: 'acme/deploy-1' })
  assert.ok(outcome.kind === 'granted')
  t.partition()
  await t.clock.advance(15_000)
  assert.equal(outcome.slot.isHeld, true)
  t.heal()
  await t.clock.advance(60_000)
  assert.equal(outcome.slot.isHeld, true)
})

test('while cut off, calls fail with an error that may pass', async () => {
  await using t = testManager()
  t.partition()
  await assert.rejects(t.manager.acquireSlot({ repository: repo, run: 'acme/deploy-1' }), { retryable: true })
  t.heal()
  assert.equal((await t.manager.acquireSlot({ repository: repo, run: 'acme/deploy-1' })).kind, 'granted')
})

test('another Manager takes over what a crashed one held, and not before its time', async () => {
  await using t = testManager()
  const other = t.another()
  await t.manager.acquireSlot({ repository: repo, run: 'acme/deploy-1' })
  t.crash()
  let got = false
  const slot = other.manager.waitForSlot({ repository: repo, run: 'acme/deploy-2' })
  void slot.then(() => {
    got = true
  })
  await t.clock.advance(26_000)
  assert.equal(got, false)
  await t.clock.advance(20_000)
  assert.equal((await slot).isHeld, true)
})

test('a slot is handed from one Manager to another without waiting', async () => {
  await using t = testManager()
  const first = await t.manager.acquireSlot({ repository: repo, run: 'acme/deploy-1' })
  assert.ok(first.kind === 'granted')
  const second = t.another().manager.waitForSlot({ repository: repo, run: 'acme/deploy-2' })
  await t.clock.advance(0)
  await first.slot.release()
  assert.equal((await second).isHeld, true)
})

test('disposing closes all Managers, cut off or not', async () => {
  const t = testManager()
  const other = t.another({ label: 'other' })
  void deploy(t.manager).catch(() => {})
  const waiting = other.manager.waitForSlot({ repository: repo, run: 'acme/deploy-2' })
  const rejected = assert.rejects(waiting, { code: 'SLOTKEEPER_MANAGER_CLOSED' })
  other.partition()
  await t[Symbol.asyncDispose]()
  await rejected
  assert.equal(t.manager.inspect().closed, true)
  assert.equal(other.manager.inspect().closed, true)
  assert.equal(t.clock.pending, 0)
})

test('what a Manager logs can be found by its event', async () => {
  const logger = recordingLogger()
  await using t = testManager({ logger })
  await t.manager.acquireSlot({ repository: repo, run: 'acme/deploy-1' })
  assert.equal(logger.find('acquired')?.fields.run, 'acme/deploy-1')
  assert.equal(logger.find('acquired', { run: 'acme/other' }), undefined)
  t.partition()
  await t.clock.advance(31_000)
  assert.ok(logger.all('heartbeat-failed').length > 1)
  assert.equal(logger.find('slot-lost')?.level, 'error')
  logger.clear()
  assert.deepEqual(logger.entries, [])
})

test('a slot whose longest hold ends while the machine is suspended is lost soon after it runs again', async () => {
  await using t = testManager()
  const slot = await t.manager.waitForSlot({ repository: repo, run: 'acme/long', maxHoldMs: 20_000 })
  const { signal } = slot
  await t.clock.advance(1000)
  t.clock.suspend(19_500)
  await t.clock.advance(2000)
  assert.equal(signal.reason?.reason, 'max-hold')
})
