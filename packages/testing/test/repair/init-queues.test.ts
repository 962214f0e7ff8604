import {
  type ActualRun,
  type Drift,
  isSlotkeeperError,
  Manager,
  type RunKey,
  repository,
  type SlotEvent,
} from '@slotkeeper/core'
import { StoreError } from '@slotkeeper/core/driver'
import { memoryDriver } from '@slotkeeper/driver-memory'
import { fakeClock, faultyDriver, recordingLogger, testManager } from '@slotkeeper/testing'
import { describe, expect, test } from 'vitest'
import { API, actual, listing, picture, repo, short, start } from './support.ts'

/** A Manager, and one before it that left its durable slots behind as orphans. */
async function afterRestart(
  before: (manager: ReturnType<typeof testManager>['manager']) => Promise<unknown>,
) {
  const logger = recordingLogger()
  const t = testManager({ logger })
  const old = t.another({ label: 'old' }).manager
  await before(old)
  await old.close()
  logger.clear()
  return Object.assign(t, { logger, queue: t.manager.queueManager })
}

describe('what runs', () => {
  test('a run whose keeper died is adopted: a new lease, this Manager as its holder', async () => {
    await using t = await afterRestart((old) => start(old, 1))
    expect(await picture(t.manager)).toBe('1 orphaned')
    const [seen] = await t.manager.getRunningPipelineRuns(API)
    const [drift, ...rest] = await t.queue.initQueues(listing(actual(1, 'started')))
    expect(rest).toEqual([])
    expect(drift).toMatchObject({ kind: 'unkept', run: 'acme/1', repair: { kind: 'done' } })
    const [slot] = await t.manager.getRunningPipelineRuns(API)
    expect(slot).toMatchObject({ phase: 'running', holder: t.manager.holder })
    expect(slot?.leaseId).not.toBe(seen?.leaseId)
    expect((drift as { slot: { isHeld: boolean } }).slot.isHeld).toBe(true)
    expect(t.manager.inspect().slots).toHaveLength(1)
  })

  test('a run that the store never heard of gets a slot, within the limit while there is room', async () => {
    await using t = testManager()
    const drifts = await t.manager.queueManager.initQueues(listing(actual(1, 'started')))
    expect(drifts).toMatchObject([{ kind: 'uncounted', beyondLimit: false, repair: { kind: 'done' } }])
    expect((await t.manager.getCurrentSlots(API)).limit).toBe(1)
  })

  test('a run beyond the limit is adopted all the same, and said to be beyond it; nothing else is granted', async () => {
    await using t = await afterRestart((old) => start(old, 1))
    const drifts = await t.queue.initQueues(listing(actual(1, 'started'), actual(2, 'started')))
    expect(drifts).toMatchObject([
      { kind: 'unkept', run: 'acme/1' },
      { kind: 'uncounted', run: 'acme/2', beyondLimit: true, repair: { kind: 'done' } },
    ])
    expect(await picture(t.manager)).toBe('1 running, 2 running')
    expect(t.logger.find('audit', { run: 'acme/2' })?.fields).toMatchObject({
      action: 'adopt',
      beyondLimit: true,
    })
    await t.queue.addListToRunningQueue(repo(), ['acme/3'])
    await t.queue.removeAndTakeItemFromQueue(repo(), 'acme/2')
    expect(await picture(t.manager)).toBe('1 running, 3 waiting')
  })

  test('a run that a living holder keeps is left alone', async () => {
    await using t = testManager()
    const slot = await start(t.another().manager, 1)
    expect(await t.manager.queueManager.initQueues(listing(actual(1, 'started')))).toEqual([])
    expect(slot.isHeld).toBe(true)
  })

  test('a run that waits in the store is given its slot, since it runs', async () => {
    await using t = testManager()
    await start(t.manager, 1)
    await t.manager.queueManager.addListToRunningQueue(repo(), ['acme/2'])
    const drifts = await t
      .another()
      .manager.queueManager.initQueues(listing(actual(1, 'started'), actual(2, 'started')))
    expect(short(drifts)).toEqual(['uncounted 2: done'])
    expect(await picture(t.manager)).toBe('1 running, 2 running')
  })

  test('a run whose slot ran out while nobody kept it is adopted, with or without a uid: that was a guess', async () => {
    for (const runUid of [undefined, 'uid-1']) {
      const more = runUid === undefined ? {} : { runUid }
      await using t = await afterRestart((old) => start(old, 1, more))
      t.queue.setupWatcher(API, () => {})
      await t.clock.advance(31 * 60_000)
      expect(await t.manager.getPipelineRunState(API, 'acme/1')).toBe('expired')
      expect(short(await t.queue.initQueues(listing(actual(1, 'started', more))))).toEqual([
        'uncounted 1: done',
      ])
      expect(await t.manager.getPipelineRunState(API, 'acme/1')).toBe('started')
    }
  })

  test('a run that somebody ended before the mark is not begun again, and reported', async () => {
    await using t = testManager()
    const slot = await start(t.manager, 1)
    await slot.release({ state: 'failed' })
    for (const state of ['started', 'queued'])
      expect(await t.manager.queueManager.initQueues(listing(actual(1, state)))).toMatchObject([
        { kind: 'ended', listed: state, state: 'failed', repair: { kind: 'kept' } },
      ])
    expect(await picture(t.manager)).toBe('')
  })

  test('a reservation of a run that runs is claimed for it', async () => {
    await using t = testManager()
    await t.another().manager.queueManager.addListToRunningQueue(repo(), ['acme/1'])
    expect(short(await t.manager.queueManager.initQueues(listing(actual(1, 'started'))))).toEqual([
      'unkept 1: done',
    ])
    expect(await picture(t.manager)).toBe('1 running')
  })
})

describe('what waits', () => {
  test('runs that are missing in the queue are queued in the declared order, whatever the listing’s', async () => {
    await using t = testManager()
    const drifts = await t.manager.queueManager.initQueues(
      listing(
        actual('running', 'started'),
        actual('z', 'queued'),
        actual('third', 'queued', { order: 3 }),
        actual('first', 'queued', { order: 1 }),
        actual('urgent', 'queued', { order: 9, priority: 5 }),
        actual('y', 'queued'),
        actual('second', 'queued', { order: 2 }),
      ),
    )
    expect(drifts).toHaveLength(7)
    expect(await picture(t.manager)).toBe(
      'running running, urgent waiting, first waiting, second waiting, third waiting, z waiting, y waiting',
    )
  })

  test('a run that waits already keeps its place', async () => {
    await using t = testManager()
    await t.manager.queueManager.addListToRunningQueue(repo(), ['acme/0', 'acme/b', 'acme/a'])
    const drifts = await t.manager.queueManager.initQueues(
      listing(actual('a', 'queued', { order: 1 }), actual('b', 'queued', { order: 2 })),
    )
    expect(drifts).toEqual([])
    expect(await picture(t.manager)).toBe('0 reserved, b waiting, a waiting')
  })

  test('a claimed run that never started, and that nobody keeps, waits again at its old place', async () => {
    await using t = await afterRestart(async (old) => {
      await start(old, 1)
      await old.queueManager.addListToRunningQueue(repo(), ['acme/2'])
    })
    expect(short(await t.queue.initQueues(listing(actual(1, 'queued'), actual(2, 'queued'))))).toEqual([
      'unstarted 1: done',
    ])
    expect(await picture(t.manager)).toBe('1 reserved, 2 waiting')
    expect(await t.manager.getPipelineRunState(API, 'acme/1')).toBe('queued')
  })

  test('a claimed run whose holder lives is about to start: it keeps its slot', async () => {
    await using t = testManager()
    const slot = await start(t.another().manager, 1)
    expect(await t.manager.queueManager.initQueues(listing(actual(1, 'queued')))).toEqual([])
    expect(slot.isHeld).toBe(true)
  })

  test('a claimed run that was given up while nobody kept it is queued again, with its uid', async () => {
    const more = { runUid: 'uid-1' }
    await using t = await afterRestart((old) => start(old, 1, more))
    t.queue.setupWatcher(API, () => {})
    await t.clock.advance(31 * 60_000)
    expect(short(await t.queue.initQueues(listing(actual(1, 'queued', more))))).toEqual(['unqueued 1: done'])
    expect(await picture(t.manager)).toBe('1 reserved')
  })

  test('a draining repository queues nothing, and says so', async () => {
    await using t = testManager()
    await t.manager.setRepositoryState(API, 'draining')
    const drifts = await t.manager.queueManager.initQueues(listing(actual(1, 'started'), actual(2, 'queued')))
    expect(drifts).toMatchObject([
      { kind: 'uncounted', repair: { kind: 'done' } },
      { kind: 'unqueued', repair: { kind: 'refused', reason: 'draining' } },
    ])
  })
})

describe('what is over', () => {
  test('a run that is over by the mark gives its slot to the next one, with the state that the cluster shows', async () => {
    await using t = await afterRestart(async (old) => {
      await start(old, 1)
      await old.queueManager.addListToRunningQueue(repo(), ['acme/2'])
    })
    const drifts = await t.queue.initQueues(listing(actual(1, 'failed'), actual(2, 'queued')))
    expect(drifts).toMatchObject([{ kind: 'over', state: 'failed', repair: { kind: 'done' } }])
    expect(await picture(t.manager)).toBe('2 reserved')
    expect(await t.manager.getPipelineRunState(API, 'acme/1')).toBe('failed')
  })

  test('a waiting run that is over leaves the queue where the uid proves that it is the same life', async () => {
    await using t = testManager()
    await start(t.manager, 0)
    await t.manager.queueManager.addListToRunningQueue(repo(), [{ run: 'acme/1', runUid: 'uid-1' }, 'acme/2'])
    const drifts = await t.manager.queueManager.initQueues(
      listing(actual(0, 'started'), actual(1, 'cancelled', { runUid: 'uid-1' }), actual(2, 'cancelled')),
    )
    expect(short(drifts)).toEqual(['over 2: kept', 'over 1: done'])
    expect(await picture(t.manager)).toBe('0 running, 2 waiting')
  })

  test('a run that ends between the mark and the listing, or while it goes on, is no drift', async () => {
    await using t = testManager()
    const first = await start(t.manager, 1, { limit: 2 })
    const second = await start(t.manager, 2, { limit: 2 })
    const drifts = await t.another().manager.queueManager.initQueues(
      listing(
        () => first.release(),
        actual(1, 'completed', { repository: repo(2) }),
        actual(2, 'started', { repository: repo(2) }),
        () => second.release(),
      ),
    )
    expect(drifts).toEqual([])
  })

  test('a run that was over when it was listed late is not begun again by a listing that is older', async () => {
    await using t = testManager()
    const slot = await start(t.manager, 1)
    const drifts = await t
      .another()
      .manager.queueManager.initQueues(listing(() => slot.release(), actual(1, 'started')))
    expect(drifts).toEqual([])
    expect(await picture(t.manager)).toBe('')
  })

  test('nothing younger than the mark is dropped, whatever an older listing says', async () => {
    await using t = testManager()
    const other = t.another()
    await start(other.manager, 'old', { limit: 9 })
    const nine = { repository: repo(9) }
    const drifts = await t.manager.queueManager.initQueues(
      listing(
        actual('old', 'started', nine),
        async () => {
          await start(other.manager, 'listed', { limit: 9 })
          await start(other.manager, 'unlisted', { limit: 9 })
          await other.manager.queueManager.addListToRunningQueue(repo(9), ['acme/reserved'])
          await other.manager.close()
        },
        actual('listed', 'completed', nine),
      ),
      { listsWaiting: true, covers: () => true },
    )
    expect(short(drifts)).toEqual(['unkept old: done'])
    expect(await picture(t.manager)).toBe(
      'listed orphaned, unlisted orphaned, reserved reserved, old running',
    )
  })

  test('an entry that was queued, or given back, after the mark is left alone', async () => {
    await using t = testManager()
    const other = t.another().manager
    const slot = await start(other, 'back')
    const { queueManager } = other
    const more = { runUid: 'uid-1' }
    const drifts = await t.manager.queueManager.initQueues(
      listing(
        async () => {
          await queueManager.addListToRunningQueue(repo(), [
            { run: 'acme/over', ...more },
            { run: 'acme/life', ...more },
          ])
          await slot.requeue()
        },
        actual('over', 'failed', more),
        actual('life', 'queued', { runUid: 'uid-0' }),
        actual('back', 'started'),
      ),
      { listsWaiting: true },
    )
    expect(drifts).toEqual([])
    expect(await picture(t.manager)).toBe('back reserved, over waiting, life waiting')
  })

  test('a reservation that is claimed while the listing goes on is not dropped for having been over before', async () => {
    await using t = testManager()
    const [outcome] = await t.manager.queueManager.addListToRunningQueue(repo(), ['acme/1'])
    const drifts = await t.another().manager.queueManager.initQueues(
      listing(
        async () => {
          if (outcome?.kind === 'reserved') await outcome.slot.claim()
        },
        actual(1, 'completed'),
      ),
      { covers: () => true },
    )
    expect(drifts).toEqual([])
    expect(await picture(t.manager)).toBe('1 running')
  })
})

describe('what vanished', () => {
  test('a slot that nobody keeps and no listing shows is ended', async () => {
    await using t = await afterRestart((old) => start(old, 1))
    expect(short(await t.queue.initQueues(listing(actual(2, 'queued'))))).toEqual([
      'vanished 1: done',
      'unqueued 2: done',
    ])
    expect(await picture(t.manager)).toBe('2 reserved')
  })

  test('where the listing shows no run of a repository, nothing of it is ended, unless it is said to cover it', async () => {
    await using t = await afterRestart((old) => start(old, 1))
    expect(short(await t.queue.initQueues(listing()))).toEqual(['vanished 1: kept'])
    expect(short(await t.queue.initQueues(listing(), { covers: () => false }))).toEqual(['vanished 1: kept'])
    expect(short(await t.queue.initQueues(listing(), { covers: () => true }))).toEqual(['vanished 1: done'])
  })

  test('an entry of the queue is dropped only where the listing shows those that wait', async () => {
    await using t = testManager()
    await start(t.manager, 1)
    await t.manager.queueManager.addListToRunningQueue(repo(), ['acme/2', 'acme/3'])
    const runs = [actual(1, 'started'), actual(3, 'queued')]
    expect(await t.manager.queueManager.initQueues(listing(...runs))).toEqual([])
    expect(short(await t.manager.queueManager.initQueues(listing(...runs), { listsWaiting: true }))).toEqual([
      'vanished 2: done',
    ])
    expect(await picture(t.manager)).toBe('1 running, 3 waiting')
  })

  test('a worker’s slot and entry are none of a cluster’s', async () => {
    await using t = testManager()
    const slot = await t.manager.waitForSlot({ repository: repo(), run: 'acme/1' })
    const waiting = t.manager.waitForSlot({ repository: repo(), run: 'acme/2' })
    const all = { listsWaiting: true, covers: () => true }
    const listed = listing(actual(1, 'completed'), actual(2, 'completed'))
    for (const runs of [listing(), listed])
      expect(await t.another().manager.queueManager.initQueues(runs, all)).toEqual([])
    expect(slot.isHeld).toBe(true)
    await slot.release()
    expect((await waiting).isHeld).toBe(true)
  })

  test('the mark is taken, and the lag of a cache waited for, before the listing begins', async () => {
    await using t = await afterRestart((old) => start(old, 1))
    let began = -1
    const rebuilt = t.queue.initQueues(
      listing(() => {
        began = t.clock.monotonic()
      }),
      { lagMs: 5000 },
    )
    await t.clock.advance(4999)
    expect(began).toBe(-1)
    await t.clock.advance(1)
    expect(began).toBe(5000)
    await rebuilt
  })
})

describe('another life', () => {
  const both = [{ run: 'acme/1' as RunKey, runUid: 'uid-1' }]

  test('a slot of an earlier life is ended, and the life that the cluster shows gets its own', async () => {
    await using t = await afterRestart((old) => start(old, 1, { runUid: 'uid-1' }))
    const drifts = await t.queue.initQueues(listing(actual(1, 'started', { runUid: 'uid-2' })))
    expect(drifts).toMatchObject([
      { kind: 'replaced', runUid: 'uid-1', by: 'uid-2', repair: { kind: 'done' } },
      { kind: 'uncounted', runUid: 'uid-2', beyondLimit: false, repair: { kind: 'done' } },
    ])
    expect((await t.manager.getRunningPipelineRuns(API))[0]?.runUid).toBe('uid-2')
  })

  test('an entry of an earlier life is ended, and the new one queued', async () => {
    await using t = testManager()
    await start(t.manager, 0)
    await t.manager.queueManager.addListToRunningQueue(repo(), both)
    const drifts = await t.manager.queueManager.initQueues(
      listing(actual(0, 'started'), actual(1, 'queued', { runUid: 'uid-2' })),
    )
    expect(short(drifts)).toEqual(['replaced 1: done', 'unqueued 1: done'])
    expect((await t.manager.getQueuedPipelineRuns(API))[0]?.runUid).toBe('uid-2')
  })

  test('a life that began after the mark is not ended for an earlier one that a listing still shows', async () => {
    await using t = testManager()
    const other = t.another().manager
    const drifts = await t.manager.queueManager.initQueues(
      listing(() => start(other, 1, { runUid: 'uid-2' }), actual(1, 'started', { runUid: 'uid-1' })),
    )
    expect(drifts).toEqual([])
    expect((await other.getRunningPipelineRuns(API))[0]).toMatchObject({ runUid: 'uid-2', phase: 'running' })
  })
})

describe('what cannot be used', () => {
  test('malformed keys, unknown states and contradictions are reported one by one, and stop nothing', async () => {
    await using t = testManager()
    const broken = {
      get repository(): never {
        throw new Error('boom')
      },
      run: 'acme/x',
      state: 'started',
    } as unknown as ActualRun
    const drifts = await t.manager.queueManager.initQueues(
      listing(
        actual('a/b', 'queued'),
        null as never,
        broken,
        actual(1, 'Pending'),
        actual(2, 'queued', { repository: { metadata: { namespace: '', name: 'x' }, spec: {} } }),
        actual(4, 'started', { runUid: '' }),
        actual(5, 'queued', { order: Number.NaN }),
        actual(6, 'queued'),
        actual(6, 'started'),
        actual(7, 'started'),
      ),
    )
    expect(short(drifts)).toEqual([
      'malformed',
      'malformed',
      'malformed',
      'unknown-state 1',
      'malformed',
      'malformed',
      'malformed',
      'listed-twice 6',
      'uncounted 7: done',
    ])
    expect(drifts[0]).toMatchObject({ value: 'acme/api acme/a/b' })
    expect(drifts[3]).toMatchObject({ state: 'Pending' })
    expect(await picture(t.manager)).toBe('7 running')
  })

  test('a listing that names a run twice in the same words is one word; in other words nothing is taken away', async () => {
    await using t = await afterRestart(async (old) => {
      await start(old, 1, { limit: 2 })
      await start(old, 2, { limit: 2 })
    })
    const two = { repository: repo(2) }
    const drifts = await t.queue.initQueues(
      listing(
        actual(1, 'started', two),
        actual(1, 'started', two),
        actual(2, 'completed', two),
        actual(2, 'started', two),
        actual(3, 'queued', two),
        actual(3, 'queued', two),
      ),
    )
    expect(short(drifts)).toEqual(['listed-twice 2', 'unkept 1: done', 'unqueued 3: done'])
    expect(await picture(t.manager)).toBe('2 orphaned, 1 running, 3 waiting')
  })

  test('a listing that throws in the middle drops, gives back and queues nothing; what it proved to run is kept', async () => {
    await using t = await afterRestart(async (old) => {
      for (const n of [1, 2, 3, 4]) await start(old, n, { limit: 4 })
    })
    const four = { repository: repo(4) }
    const before = await picture(t.manager)
    const failing = () =>
      listing(actual(1, 'completed', four), actual(2, 'queued', four), actual(5, 'queued', four), () => {
        throw new Error('410 Gone')
      })
    const error = await t.queue.initQueues(failing(), { covers: () => true }).catch((e: unknown) => e)
    expect(isSlotkeeperError(error, 'SLOTKEEPER_LISTING_FAILED')).toBe(true)
    expect(error).toMatchObject({ retryable: true, listed: 3, cause: { message: '410 Gone' } })
    expect(await picture(t.manager)).toBe(before)
  })

  test('a repository of which the store cannot hear stops no other: its runs are reported and left alone', async () => {
    const clock = fakeClock()
    const driver = faultyDriver(memoryDriver({ clock }), { asynchronous: true })
    const transact = driver.transact.bind(driver)
    driver.transact = (batch, decide, signal) => {
      const [failing, others] = [
        batch.filter(({ domain }) => domain === 'acme/bad'),
        batch.filter(({ domain }) => domain !== 'acme/bad'),
      ]
      for (const one of failing) one.error = new StoreError('SLOTKEEPER_STORE_UNAVAILABLE', 'away')
      return transact(others, decide, signal)
    }
    const manager = new Manager({ driver, clock })
    const bad = { repository: repository('acme/bad', { concurrencyLimit: 1 }) }
    let drifts: readonly Drift[] | undefined
    const rebuilt = manager.queueManager
      .initQueues(
        listing(
          actual(1, 'started'),
          actual(2, 'started', bad),
          actual(3, 'queued', bad),
          actual(4, 'queued'),
        ),
      )
      .then((found) => {
        drifts = found
      })
    while (drifts === undefined) await clock.advance(1000)
    await rebuilt
    expect(short(drifts)).toEqual([
      'unheard 2: failed',
      'unheard 3: failed',
      'uncounted 1: done',
      'unqueued 4: done',
    ])
    const closed = manager.close()
    await clock.advance(60_000)
    await closed
  })

  test('a signal ends it, though the listing hangs, and the listing is told to stop', async () => {
    await using t = testManager()
    let returned = false
    const hanging: AsyncIterable<ActualRun> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          returned = true
          return { done: true, value: undefined }
        },
      }),
    }
    const controller = new AbortController()
    const rebuilt = t.manager.queueManager.initQueues(hanging, { signal: controller.signal })
    await t.clock.advance(60_000)
    controller.abort(new Error('enough'))
    await expect(rebuilt).rejects.toThrow('enough')
    expect(returned).toBe(true)
  })

  test('what was listed before the mark proves nothing: an array is refused', async () => {
    await using t = testManager()
    const error = await t.manager.queueManager
      .initQueues([actual(1, 'started')] as never)
      .catch((e: unknown) => e)
    expect(isSlotkeeperError(error, 'SLOTKEEPER_INVALID_ARGUMENT')).toBe(true)
  })

  test('a listing of any length needs the memory of what the store holds: it is read in pieces', async () => {
    await using t = await afterRestart((old) => start(old, 1))
    let ahead = 0
    let most = 0
    const { manager } = t
    async function* long(): AsyncGenerator<ActualRun> {
      for (let n = 2; n < 2000; n++) {
        most = Math.max(most, ++ahead)
        if (n % 200 === 0) ahead = 0
        yield actual(n, 'completed')
      }
      yield actual(1, 'started')
    }
    expect(short(await manager.queueManager.initQueues(long()))).toEqual(['unkept 1: done'])
    expect(most).toBeLessThan(250)
  })
})

describe('who repairs', () => {
  test('a dry run tells what it would do and changes nothing, limits included', async () => {
    await using t = await afterRestart(async (old) => {
      await start(old, 1, { limit: 3 })
      await start(old, 2, { limit: 3 })
      await start(old, 3, { limit: 3 })
    })
    const seven = { repository: repo(7) }
    const before = await picture(t.manager)
    const runs = [actual(1, 'started', seven), actual(2, 'failed', seven), actual(3, 'queued', seven)]
    const all = listing(...runs, actual(4, 'started', seven), actual(5, 'queued', seven))
    expect(short(await t.queue.initQueues(all, { dryRun: true }))).toEqual([
      'unkept 1: planned',
      'uncounted 4: planned',
      'over 2: planned',
      'unstarted 3: planned',
      'unqueued 5: planned',
    ])
    expect(await picture(t.manager)).toBe(before)
    expect((await t.manager.getCurrentSlots(API)).limit).toBe(3)
    expect(t.logger.all('audit')).toEqual([])
  })

  test('a second rebuild finds nothing to do', async () => {
    await using t = await afterRestart((old) => start(old, 1))
    const runs = [actual(1, 'started'), actual(2, 'queued'), actual(3, 'queued')]
    expect(await t.queue.initQueues(listing(...runs))).toHaveLength(3)
    expect(await t.queue.initQueues(listing(...runs))).toEqual([])
    expect(await t.another().manager.queueManager.initQueues(listing(...runs))).toEqual([])
  })

  test('replicas that rebuild at once with different listings adopt each run once, and drop none that one adopted', async () => {
    await using t = await afterRestart(async (old) => {
      await start(old, 1, { limit: 2 })
      await start(old, 2, { limit: 2 })
    })
    const two = { repository: repo(2) }
    const other = t.another().manager
    // The other's listing is older: it does not show the second run.
    const [mine, theirs] = await Promise.all([
      t.queue.initQueues(
        listing(actual(1, 'started', two), actual(2, 'started', two), actual(3, 'queued', two)),
      ),
      other.queueManager.initQueues(listing(actual(1, 'started', two), actual(3, 'queued', two))),
    ])
    const done = [...mine, ...theirs].filter((drift) => 'repair' in drift && drift.repair.kind === 'done')
    expect(done.map((drift) => 'run' in drift && drift.run).sort()).toEqual(['acme/1', 'acme/2', 'acme/3'])
    expect(await picture(t.manager)).toBe('1 running, 2 running, 3 waiting')
  })

  test('killed between adopting and queueing: the next rebuild does the rest, and nothing twice', async () => {
    await using t = await afterRestart((old) => start(old, 1))
    const dying = t.another()
    const rebuilt = dying.manager.queueManager
      .initQueues(
        listing(
          ...Array.from({ length: 200 }, (_, n) => actual(n + 100, 'completed')),
          actual(1, 'started'),
          ...Array.from({ length: 199 }, (_, n) => actual(n + 400, 'completed')),
          actual(2, 'queued'),
          () => dying.crash(),
        ),
      )
      .catch((error: unknown) => error)
    t.queue.setupWatcher(API, () => {})
    await t.clock.advance(60_000)
    expect(isSlotkeeperError(await rebuilt)).toBe(true)
    expect(await picture(t.manager)).toBe('1 orphaned')
    const runs = listing(actual(1, 'started'), actual(2, 'queued'))
    expect(short(await t.queue.initQueues(runs))).toEqual(['unkept 1: done', 'unqueued 2: done'])
    expect(await picture(t.manager)).toBe('1 running, 2 waiting')
  })

  test('every repair stands in the log and in the detail of its event, by whom and why', async () => {
    await using t = await afterRestart(async (old) => {
      for (const n of [1, 2, 3]) await start(old, n, { limit: 4 })
    })
    const events: SlotEvent[] = []
    t.queue.setupWatcher(API, (event) => events.push(event))
    await t.clock.advance(0)
    const four = { repository: repo(4) }
    const runs = [actual(1, 'started', four), actual(2, 'completed', four), actual(3, 'queued', four)]
    await t.queue.initQueues(listing(...runs, actual(4, 'queued', four)))
    const detail = { actor: 'test', reason: 'rebuild' }
    const told = events.filter((event) => event.detail?.reason === 'rebuild')
    expect(told.map(({ kind, run }) => `${kind} ${run}`)).toEqual([
      'adopted acme/1',
      'released acme/2',
      'requeued acme/3',
      'enqueued acme/4',
    ])
    expect(told[0]?.detail).toEqual(detail)
    expect(t.logger.all('audit', detail).map(({ fields }) => `${fields.action} ${fields.run}`)).toEqual([
      'adopt acme/1',
      'end acme/2',
      'requeue acme/3',
      'enqueue acme/4',
    ])
    expect(t.logger.find('audited')?.fields).toMatchObject({ listed: 4, drifts: 4 })
  })

  test('a store that is away ends the rebuild with its error instead of calling everything vanished', async () => {
    await using t = await afterRestart((old) => start(old, 1))
    const cut = t.another()
    const rebuilt = cut.manager.queueManager
      .initQueues(listing(() => cut.partition(), actual(1, 'started')))
      .catch((error: unknown) => error)
    await t.clock.advance(60_000)
    expect(isSlotkeeperError(await rebuilt)).toBe(true)
    expect(await picture(t.manager)).toBe('1 orphaned')
  })
})

describe('removed repositories', () => {
  test('a late listing of a removed life is reported and brings nothing back', async () => {
    await using t = testManager()
    const first = { repository: repo(1, { uid: 'uid-1', generation: 4 }) }
    await t.manager.setRepositoryLimit(first.repository)
    await t.manager.cleanupRepository(first.repository)
    const late = [actual(1, 'started', first), actual(2, 'queued', first)]
    for (const dryRun of [true, false])
      expect(await t.manager.queueManager.initQueues(listing(...late), { dryRun })).toMatchObject([
        { kind: 'removed', run: 'acme/1' },
        { kind: 'removed', run: 'acme/2' },
      ])
    expect(await t.manager.getRepositories()).toEqual([])
  })

  test('the limit of a repository that the store had forgotten comes back with its runs', async () => {
    await using t = testManager()
    await t.manager.queueManager.initQueues(
      listing(actual(1, 'queued', { repository: repo(3, { uid: 'u', generation: 2 }) })),
    )
    expect((await t.manager.getCurrentSlots(API)).limit).toBe(3)
  })
})
