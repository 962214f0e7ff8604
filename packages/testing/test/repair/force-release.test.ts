import { isSlotkeeperError, Manager, repository, type SlotEvent } from '@slotkeeper/core'
import { memoryDriver } from '@slotkeeper/driver-memory'
import { recordingLogger, testManager } from '@slotkeeper/testing'
import { expect, test } from 'vitest'

const repo = repository('acme/api', { concurrencyLimit: 1 })
const audit = { actor: 'ops/anna', reason: 'node was deleted' }

test('a release by force ends the slot of another Manager, tells its holder and passes the place on', async () => {
  const logger = recordingLogger()
  await using t = testManager({ logger })
  const other = t.another()
  const slot = await other.manager.waitForSlot({ repository: repo, run: 'acme/1' })
  const { signal } = slot
  const next = other.manager.waitForSlot({ repository: repo, run: 'acme/2' })
  const events: SlotEvent[] = []
  t.manager.queueManager.setupWatcher(repo, (event) => events.push(event))
  await t.clock.advance(0)
  const [seen] = await t.manager.getRunningPipelineRuns(repo)
  expect(await t.manager.forceRelease(seen as never, audit)).toEqual({
    kind: 'released',
    promoted: ['acme/2'],
  })
  await t.clock.advance(11_000)
  expect(signal.aborted).toBe(true)
  expect(signal.reason).toMatchObject({ reason: 'removed' })
  expect((await next).isHeld).toBe(true)
  expect(events.find((event) => event.kind === 'released')).toMatchObject({ run: 'acme/1', detail: audit })
  expect(logger.find('audit')?.fields).toMatchObject({
    action: 'force-release',
    repository: 'acme/api',
    run: 'acme/1',
    leaseId: slot.leaseId,
    outcome: 'released',
    ...audit,
  })
  expect(await t.manager.getPipelineRunState(repo, 'acme/1')).toBe('cancelled')
  expect(await slot.release()).toEqual({ kind: 'already-released' })
})

test('a release by force frees nothing when the run has another lease since', async () => {
  await using t = testManager()
  const slot = await t.manager.waitForSlot({ repository: repo, run: 'acme/1' })
  await slot.release()
  const again = await t.manager.waitForSlot({ repository: repo, run: 'acme/1' })
  expect(await t.another().manager.forceRelease(slot, audit)).toEqual({ kind: 'lost', reason: 'stale-lease' })
  expect(again.isHeld).toBe(true)
})

test('a slot of its own that a Manager releases by force is lost to whoever works under it', async () => {
  await using t = testManager()
  const slot = await t.manager.waitForSlot({ repository: repo, run: 'acme/1' })
  const { signal } = slot
  await t.manager.forceRelease(slot, audit, { state: 'failed' })
  expect(signal.reason).toMatchObject({ reason: 'removed' })
  expect(t.manager.inspect().slots).toEqual([])
  expect(await t.manager.getPipelineRunState(repo, 'acme/1')).toBe('failed')
})

test.each([
  ['no actor', { actor: '', reason: 'x' }],
  ['no reason', { actor: 'x' }],
  ['a NUL', { actor: 'x', reason: 'a\0b' }],
])('a release by force with %s is refused before any I/O', async (_what, wrong) => {
  await using manager = new Manager({ driver: memoryDriver() })
  const slot = await manager.waitForSlot({ repository: repo, run: 'acme/1' })
  const error = await manager.forceRelease(slot, wrong as never).catch((e: unknown) => e)
  expect(isSlotkeeperError(error, 'SLOTKEEPER_INVALID_ARGUMENT')).toBe(true)
  expect(slot.isHeld).toBe(true)
})
