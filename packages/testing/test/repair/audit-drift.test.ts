import { isSlotkeeperError } from '@slotkeeper/core'
import { recordingLogger, testManager } from '@slotkeeper/testing'
import { expect, test } from 'vitest'
import { API, actual, listing, picture, repo, short, start } from './support.ts'

const repair = { repair: true, actor: 'ops/anna', reason: 'after the outage' }

test('without repair an audit only tells; with it, it says who and why', async () => {
  const logger = recordingLogger()
  await using t = testManager({ logger })
  const other = t.another().manager
  await start(other, 1)
  await other.close()
  const drifts = await t.manager.auditDrift(listing(actual(1, 'completed')), { repair: false })
  expect(drifts).toMatchObject([{ kind: 'over', run: 'acme/1', repair: { kind: 'planned' } }])
  expect(await picture(t.manager)).toBe('1 orphaned')
  expect(short(await t.manager.auditDrift(listing(actual(1, 'completed')), repair))).toEqual(['over 1: done'])
  const { actor, reason } = repair
  expect(logger.all('audit')).toHaveLength(1)
  expect(logger.find('audit', { actor, reason })?.fields).toMatchObject({ action: 'end', outcome: 'done' })
  expect(await t.manager.auditDrift(listing(actual(1, 'completed')), repair)).toEqual([])
})

test('a slot that its holder keeps and no listing shows is ended once audits have missed it for long enough', async () => {
  await using t = testManager()
  const slot = await start(t.another().manager, 1, { limit: 2 })
  const { signal } = slot
  const audit = (missingMs?: number) =>
    t.manager.auditDrift(listing(actual(2, 'completed')), {
      ...repair,
      ...(missingMs === undefined ? {} : { missingMs }),
    })
  expect(short(await audit())).toEqual(['vanished 1: kept'])
  await t.clock.advance(59_000)
  expect(short(await audit())).toEqual(['vanished 1: kept'])
  // It was there in between: what was missed before does not count.
  await t.manager.auditDrift(listing(actual(1, 'started')), repair)
  await t.clock.advance(2000)
  expect(short(await audit())).toEqual(['vanished 1: kept'])
  await t.clock.advance(60_000)
  expect(slot.isHeld).toBe(true)
  expect(short(await audit())).toEqual(['vanished 1: done'])
  await t.clock.advance(11_000)
  expect(signal.reason).toMatchObject({ reason: 'removed' })
  await start(t.another().manager, 3, { limit: 2 })
  expect(short(await audit(0))).toEqual(['vanished 3: done'])
})

test('a slot of this Manager that the cluster says is over is lost to whoever works under it', async () => {
  await using t = testManager()
  const slot = await start(t.manager, 1)
  const { signal } = slot
  expect(short(await t.manager.auditDrift(listing(actual(1, 'completed')), repair))).toEqual(['over 1: done'])
  expect(signal.aborted).toBe(true)
  expect(t.manager.inspect().slots).toEqual([])
})

test('an audit that fails forgets nothing of what was missed before', async () => {
  await using t = testManager()
  await start(t.another().manager, 1)
  const named = actual(2, 'completed')
  await t.manager.auditDrift(listing(named), repair)
  await t.clock.advance(61_000)
  await expect(
    t.manager.auditDrift(
      listing(named, () => {
        throw new Error('cut')
      }),
      repair,
    ),
  ).rejects.toThrow('cut')
  expect(short(await t.manager.auditDrift(listing(named), repair))).toEqual(['vanished 1: done'])
})

test.each([
  ['no word about repairing', {}],
  ['an empty actor', { repair: true, actor: ' ' }],
  ['a negative lag', { repair: true, lagMs: -1 }],
  ['covers that is no function', { repair: true, covers: 'all' }],
])('an audit with %s is refused before any I/O', async (_what, options) => {
  await using t = testManager()
  const error = await t.manager.auditDrift(listing(), options as never).catch((e: unknown) => e)
  expect(isSlotkeeperError(error, 'SLOTKEEPER_INVALID_ARGUMENT')).toBe(true)
})

test('an audit after removal and re-creation speaks for the new life only', async () => {
  await using t = testManager()
  const [one, two] = [repo(1, { uid: 'uid-1', generation: 9 }), repo(2, { uid: 'uid-2', generation: 1 })]
  await t.manager.setRepositoryLimit(one)
  await t.manager.cleanupRepository(one)
  const drifts = await t.manager.auditDrift(
    listing(actual(1, 'started', { repository: two }), actual(2, 'started', { repository: one })),
    repair,
  )
  expect(short(drifts)).toEqual(['removed 2: refused', 'uncounted 1: done'])
  expect((await t.manager.getCurrentSlots(API)).limit).toBe(2)
})
