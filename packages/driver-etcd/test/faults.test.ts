import { expect, test, vi } from 'vitest'
import { ownCluster, userOf } from './support/cluster.ts'
import { steeredWay } from './support/steered-way.ts'
import { granted, managerOf, repo, until } from './support/store.ts'
import { transportTo } from './support/transport.ts'

vi.setConfig({ testTimeout: 90_000 })

test('through a server that is killed and comes back a waiter keeps its place, and its turn reaches it', async () => {
  const { endpoints, members } = await ownCluster({ fsync: true })
  const said: unknown[] = []
  const note = ({ event }: { readonly event?: unknown }) => said.push(event)
  const logger = { debug: note, info: note, warn: note, error: note }
  const [a, b] = [managerOf({ endpoints }), managerOf({ endpoints }, { callTimeoutMs: 2000, logger })]
  const slot = await granted(a, 'acme/first')
  const waiting = b.waitForSlot({ repository: repo(1), run: 'acme/second' })
  await until('it waits', async () => (await a.getCurrentSlots('acme/api')).waiting === 1)
  await members[0]?.stop('SIGKILL')
  await expect(
    b.acquireSlot({ repository: repo(1), run: 'acme/third', timeoutMs: 500 }),
  ).rejects.toMatchObject({ retryable: true })
  await until('it is said that nobody tells of changes', () => said.includes('watch-lost'))
  await members[0]?.start()
  await until('it is said that somebody does again', () => said.includes('watch-back'))
  await until('the slot is given back', async () => (await slot.release()).kind !== 'lost')
  expect((await waiting).fencingToken).toBeGreaterThan(slot.fencingToken)
})

test('while a server stands still calls fail within their timeout, retryable, and afterwards everything goes on', async () => {
  const { endpoints, members } = await ownCluster()
  const manager = managerOf({ endpoints })
  const slot = await granted(manager, 'acme/first')
  members[0]?.pause()
  await Promise.all(
    [
      manager.acquireSlot({ repository: repo(2), run: 'acme/second', timeoutMs: 300 }),
      manager.getCurrentSlots('acme/api', { timeoutMs: 300 }),
      manager.health({ timeoutMs: 300 }),
    ].map((call) => expect(call).rejects.toMatchObject({ retryable: true })),
  )
  members[0]?.resume()
  await until('the slot is given back', async () => (await slot.release()).kind === 'released')
  await until('nothing is left', async () => (await manager.getCurrentSlots('acme/api')).running === 0)
})

test('what a watch missed is looked for when etcd has forgotten it', async () => {
  const { endpoints } = await ownCluster()
  const way = await steeredWay(endpoints[0] as string)
  const [a, b] = [managerOf({ endpoints: [`http://${way.host}`] }), managerOf({ endpoints })]
  const told: string[] = []
  a.queueManager.setupWatcher('acme/api', (event) => told.push(event.kind))
  await until('events are told', async () => {
    await (await granted(b, 'acme/first')).release()
    return told.includes('released')
  })
  way.next = 'reset'
  way.cut()
  await (await granted(b, 'acme/second')).release()
  const client = userOf(endpoints)
  const { header } = await client.put('/other').value('x')
  await client.kv.compact({ revision: header.revision, physical: true })
  told.length = 0
  way.next = 'serve'
  await until('it is said that something may have been missed', () => told.includes('resync'))
  await until('events are told again', async () => {
    told.length = 0
    await (await granted(b, 'acme/third')).release()
    return told.includes('released')
  })
})

test('who loses the lease to an operator loses the slot, and somebody alive gets it without being asked', async () => {
  const { endpoints } = await ownCluster()
  const [a, b] = [managerOf({ endpoints }), managerOf({ endpoints })]
  const slot = await granted(a, 'acme/first')
  const { signal } = slot
  const waiting = b.waitForSlot({ repository: repo(1), run: 'acme/second' })
  await until('it waits', async () => (await a.getCurrentSlots('acme/api')).waiting === 1)
  const client = userOf(endpoints)
  const { kvs } = await client.kv.range({
    key: Buffer.from(`/slotkeeper/watched/holder/${slot.holder}`),
  })
  await client.leaseClient.leaseRevoke({ ID: kvs[0]?.lease as string })
  const next = await waiting
  expect(next.fencingToken).toBeGreaterThan(slot.fencingToken)
  await until('who held it learns of it', () => signal.aborted)
  expect(slot.isHeld).toBe(false)
})

test('a store without room is told by its code, who holds goes on holding, and it works again when it has some', async () => {
  const LIFE_MS = 3000
  const { endpoints } = await ownCluster({ flags: { 'quota-backend-bytes': '8000000' } })
  const manager = managerOf({ endpoints }, { holderTtlMs: LIFE_MS })
  const kept = await granted(manager, 'acme/kept', 1, 'kept')
  await (await granted(manager, 'acme/first')).release()
  const client = userOf(endpoints)
  await until('it is full', async () => {
    try {
      await client.put('/filler').value('x'.repeat(1_000_000))
      return false
    } catch {
      return true
    }
  })
  await expect(manager.acquireSlot({ repository: repo(1), run: 'acme/second' })).rejects.toMatchObject({
    code: 'SLOTKEEPER_STORE_FULL',
    retryable: true,
  })
  expect((await manager.getCurrentSlots('acme/api')).running, 'what is there can be read').toBe(0)
  const since = performance.now()
  await until('the holder has lived for longer than one heartbeat gives it', () => {
    expect(kept.isHeld).toBe(true)
    return performance.now() > since + 2 * LIFE_MS
  })
  expect((await manager.getCurrentSlots('acme/kept')).running).toBe(1)
  const { header } = await client.delete().key('/filler')
  await client.kv.compact({ revision: header.revision, physical: true })
  await client.maintenance.defragment()
  const { header: about } = await client.maintenance.status()
  await client.maintenance.alarm({ action: 'Deactivate', alarm: 'Nospace', memberID: about.member_id })
  await until('it works again', async () => (await granted(manager, 'acme/third')).isHeld)
})

test('logins that are over after 2 s change nothing: calls, heartbeats and watches go on', async () => {
  const { endpoints } = await ownCluster({ flags: { 'auth-token': 'simple', 'auth-token-ttl': '2' } })
  const admin = userOf(endpoints)
  await admin.role('root').create()
  await admin.user('root').create('root')
  await admin.user('root').addRole('root')
  await admin.auth.authEnable()
  const login = { endpoints, username: 'root', password: 'root' }
  const [a, b] = [managerOf(login, { holderTtlMs: 3000 }), managerOf(login, { holderTtlMs: 3000 })]
  const told: string[] = []
  a.queueManager.setupWatcher('acme/api', (event) => told.push(event.kind))
  const slot = await granted(a, 'acme/kept', 2)
  let logins = 0
  const idle = transportTo([new URL(endpoints[0] as string).host], () => {
    logins++
    return 'root'
  })
  await idle.txn({}, {})
  expect(logins).toBe(1)
  const since = performance.now()
  await until('several logins are over', async () => {
    expect(slot.isHeld).toBe(true)
    return performance.now() > since + 7000
  })
  // Whoever calls all the time stays logged in.
  expect((await idle.txn({}, {})).succeeded).toBe(true)
  expect(logins).toBe(2)
  told.length = 0
  await (await granted(b, 'acme/other', 2)).release()
  await until('events are told', () => told.includes('released'))
  expect((await slot.release()).kind).toBe('released')
})
