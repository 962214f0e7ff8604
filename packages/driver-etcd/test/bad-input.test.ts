import { type RunKey, repository } from '@slotkeeper/core'
import { expect, test, vi } from 'vitest'
import { ownCluster, userOf } from './support/cluster.ts'
import { endpoints, newPrefix } from './support/servers.ts'
import { granted, managerOf, repo, until } from './support/store.ts'

vi.setConfig({ testTimeout: 120_000 })

/** As much as a run may say of itself. */
const LARGE = { about: 'x'.repeat(4000) }

test('a run that says more of itself than any store takes is refused before the store is asked', async () => {
  const manager = managerOf({ endpoints: ['http://127.0.0.1:1'] })
  await expect(
    manager.acquireSlot({ repository: repo(1), run: 'acme/large', meta: { about: 'x'.repeat(4097) } }),
  ).rejects.toMatchObject({ code: 'SLOTKEEPER_INVALID_ARGUMENT', message: expect.stringContaining('4096') })
})

test('a run that is too large for this server is told which, how large and by which setting, and nothing of it is done', async () => {
  const { endpoints: own } = await ownCluster({ flags: { 'max-request-bytes': '4096' } })
  const manager = managerOf({ endpoints: own })
  const small = await granted(manager, 'acme/small', 3)
  const calls = [
    manager.acquireSlot({ repository: repo(3), run: 'acme/large', meta: LARGE }),
    manager.queueManager.addToPendingQueue(repo(3), [{ run: 'acme/large', meta: LARGE }]),
  ]
  const failures = await Promise.all(
    calls.map((call) =>
      call.then(
        () => undefined,
        (error: unknown) => error,
      ),
    ),
  )
  for (const failure of failures) {
    expect(failure).toMatchObject({ code: 'SLOTKEEPER_INVALID_ARGUMENT', retryable: false })
    expect(String(failure)).toMatch(/acme\/large.* bytes.*--max-request-bytes/)
  }
  const { running, waiting } = await manager.getCurrentSlots('acme/api')
  expect([running, waiting]).toEqual([1, 0])
  expect(await manager.getPipelineRunState('acme/api', 'acme/large')).toBe(undefined)
  // Those who come with it are not refused with it.
  const together = await Promise.allSettled([
    manager.acquireSlot({ repository: repo(3), run: 'acme/large', meta: LARGE }),
    manager.acquireSlot({ repository: repo(3, 'other'), run: 'acme/beside' }),
  ])
  expect(together.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  expect((await small.release()).kind).toBe('released')
})

test('a change of the repository alone that finds no room is told so, and fails nothing that comes with it', async () => {
  const { endpoints: own } = await ownCluster({ flags: { 'max-request-bytes': '4096' } })
  // The one withdraws what it was refused; the other has no runs.
  const [manager, other] = [managerOf({ endpoints: own }), managerOf({ endpoints: own })]
  let n = 0
  await expect(
    (async () => {
      while (n < 1000) await granted(manager, `acme/run-${n++}`, 1000)
    })(),
  ).rejects.toMatchObject({ code: 'SLOTKEEPER_INVALID_ARGUMENT' })
  const limited = repository('acme/api', { concurrencyLimit: 1001 })
  const [alone, beside] = await Promise.allSettled([
    other.setRepositoryLimit({ ...limited, metadata: { ...limited.metadata, uid: 'u'.repeat(500) } }),
    granted(other, 'acme/beside', 1, 'other'),
  ])
  expect(alone).toMatchObject({
    status: 'rejected',
    reason: { code: 'SLOTKEEPER_INVALID_ARGUMENT', message: expect.stringContaining('--max-request-bytes') },
  })
  expect(beside.status).toBe('fulfilled')
})

test('a server that takes requests of 1 MiB takes the largest document there can be, and all that ends in it', async () => {
  const { endpoints: own } = await ownCluster({ flags: { 'max-request-bytes': '1048576' } })
  const manager = managerOf({ endpoints: own }, { callTimeoutMs: 30_000 })
  const long = (n: number) => `acme/${`${n}-`.padEnd(160, '名')}` as RunKey
  // As many bytes as the meta of a run may have, in so few characters that it is kept in the document.
  const meta = { about: '名'.repeat(1360) }
  const slots = []
  for (let n = 0; n < 120; n++) {
    const outcome = await manager.acquireSlot({
      repository: repo(0),
      run: long(n),
      runUid: `${n}-${'u'.repeat(200)}`,
      meta,
    })
    if (outcome.kind !== 'granted') throw new Error('not granted')
    slots.push(outcome.slot)
  }
  const entries = Array.from({ length: 120 }, (_, n) => ({ run: long(1000 + n), meta }))
  await manager.queueManager.addToPendingQueue(repo(1), entries)
  const ends = await Promise.all(slots.map((slot) => slot.release({ timeoutMs: 30_000 })))
  expect(new Set(ends.map(({ kind }) => kind))).toEqual(new Set(['released']))
  await manager.queueManager.removeRepository('acme/api')
  await until('nothing is left', async () => {
    const { running, waiting } = await manager.getCurrentSlots('acme/api')
    return running + waiting === 0
  })
})

test('many large runs that come at once are more than a request may have, and are taken in several', async () => {
  const { endpoints: own } = await ownCluster({ flags: { 'max-txn-ops': '10000' } })
  const manager = managerOf({ endpoints: own, maxOperations: 10_000 })
  const runs = Array.from({ length: 1000 }, (_, n) => ({ run: `acme/${n}` as RunKey, meta: LARGE }))
  const outcomes = await manager.queueManager.addToPendingQueue(repo(1), runs, { timeoutMs: 60_000 })
  expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['reserved', 'waiting']))
  const { waiting, reserved } = await manager.getCurrentSlots('acme/api')
  expect([reserved, waiting]).toEqual([1, 999])
})

test('of more priorities than are kept apart the highest goes first all the same, and of equals the earliest', async () => {
  const manager = managerOf({ endpoints: endpoints(), prefix: newPrefix() })
  const first = await granted(manager, 'acme/first')
  const entries = Array.from({ length: 300 }, (_, n) => ({
    run: `acme/${n}` as RunKey,
    priority: ((n * 37) % 100) - 50,
  }))
  await manager.queueManager.addToPendingQueue(repo(1), entries)
  const expected = [...entries]
    .sort((a, b) => b.priority - a.priority || entries.indexOf(a) - entries.indexOf(b))
    .map(({ run }) => run)
  await first.release()
  const turns: RunKey[] = []
  let next: RunKey | undefined = expected[0]
  await until('the first has its turn', async () => {
    const state = await manager.getRunningPipelineRuns('acme/api')
    return state[0]?.run === next
  })
  while (next !== undefined) {
    turns.push(next)
    next = (await manager.queueManager.removeAndTakeItemFromQueue(repo(1), next))?.run
  }
  expect(turns).toEqual(expected)
})

test('a repository with 20,000 waiting runs can be removed, and leaves no row behind', async () => {
  // Larger transactions than etcd has by itself: fewer commits.
  const { endpoints: own } = await ownCluster({ flags: { 'max-txn-ops': '1024' } })
  const manager = managerOf({ endpoints: own, maxOperations: 1024 }, { callTimeoutMs: 100_000 })
  const large = repository('acme/large', { concurrencyLimit: 1 })
  for (let from = 0; from < 20_000; from += 5000)
    await manager.queueManager.addListToRunningQueue(
      large,
      Array.from({ length: 5000 }, (_, n): RunKey => `acme/${from + n}`),
    )
  const beside = await granted(manager, 'acme/beside')
  expect((await manager.getCurrentSlots('acme/large')).waiting).toBe(19_999)
  expect(await manager.queueManager.removeRepository('acme/large')).toEqual({ removed: 20_000 })
  const client = userOf(own)
  await until('no row of it is left', async () => {
    for (const kind of ['run', 'queue', 'slot', 'due']) {
      const { kvs } = await client.kv.range({
        key: Buffer.from(`/slotkeeper/${kind}/acme/large/`),
        range_end: Buffer.from(`/slotkeeper/${kind}/acme/large0`),
        limit: 1,
      })
      if (kvs.length > 0) return false
    }
    return true
  })
  expect(beside.isHeld).toBe(true)
  const outcome = await manager.acquireSlot({ repository: large, run: 'acme/again' })
  expect(outcome.kind).toBe('granted')
})
