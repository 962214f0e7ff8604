import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { status } from '@grpc/grpc-js'
import type { ITxnRequest } from 'etcd3'
import { expect, onTestFinished, test, vi } from 'vitest'
import { absent } from '../src/operations.ts'
import { fakeEtcd } from './support/fake-etcd.ts'
import { endpoints } from './support/servers.ts'
import { until } from './support/store.ts'
import { transportTo } from './support/transport.ts'

vi.setConfig({ testTimeout: 30_000 })

type Answer = (error: null, response: object) => void

const header = { cluster_id: '0', member_id: '0', revision: '1', raft_term: '0' }

/** A server that waits with its logins, and notes which keys the transactions that arrive compare. */
async function slowLogin() {
  const logins: Answer[] = []
  const arrived: string[] = []
  const host = await fakeEtcd({
    'Auth.Authenticate': (_: unknown, answer: Answer) => logins.push(answer),
    'KV.Txn': ({ request }: { request: ITxnRequest }, answer: Answer) => {
      for (const { key } of request.compare ?? []) arrived.push(String(key))
      answer(null, { header, succeeded: true, responses: [] })
    },
  })
  return { transport: transportTo([host], () => 'c4n4ry'), logins, arrived }
}

test('whoever gives up during the login is answered at once, and the others go on with it', async () => {
  const { transport, logins } = await slowLogin()
  const { signal, abort } = stopper()
  const given = transport.txn({}, { signal, timeoutMs: 60_000 })
  const other = transport.txn({}, { timeoutMs: 60_000 })
  await until('somebody logs in', () => logins.length > 0)
  abort()
  await expect(given).rejects.toThrow('enough')
  logins[0]?.(null, { header, token: 'x' })
  expect((await other).succeeded).toBe(true)
  expect(logins).toHaveLength(1)
})

test('a write whose caller gives up during the login is never sent', async () => {
  const { transport, logins, arrived } = await slowLogin()
  const { signal, abort } = stopper()
  const given = transport.txn({ compare: [absent('given-up')] }, { signal })
  await until('somebody logs in', () => logins.length > 0)
  abort()
  logins[0]?.(null, { header, token: 'x' })
  await given.catch(() => undefined)
  await transport.txn({ compare: [absent('other')] }, {})
  expect(arrived).toEqual(['other'])
})

test('a call under way ends when the transport is closed, and none begins afterwards', async () => {
  let arrived = false
  const host = await fakeEtcd({
    'KV.Txn': () => {
      arrived = true
    },
  })
  const transport = transportTo([host])
  const cancelled = { code: status.CANCELLED }
  const call = expect(transport.txn({}, {})).rejects.toMatchObject(cancelled)
  await until('it arrives', () => arrived)
  transport.close()
  await call
  await expect(transport.txn({}, {})).rejects.toMatchObject(cancelled)
})

test('a renewal whose stream ends without an answer is asked of the next member', async () => {
  const none = await fakeEtcd({ 'Lease.LeaseKeepAlive': (stream: { end(): void }) => stream.end() })
  const real = new URL(endpoints()[0] as string).host
  const { ID } = await transportTo([real]).leaseGrant(60, {})
  expect(await transportTo([none, real]).leaseKeepAlive(ID, {})).toBe(60)
})

test('a wall clock that is set meanwhile ends no call before its time', async () => {
  const real = Date.now
  onTestFinished(() => void vi.restoreAllMocks())
  const server = createServer((socket) => {
    vi.spyOn(Date, 'now').mockImplementation(() => real() + 3_600_000)
    socket.destroy()
  })
  onTestFinished(() => void server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const transport = transportTo([`127.0.0.1:${port}`, new URL(endpoints()[0] as string).host])
  expect((await transport.txn({}, {})).succeeded).toBe(true)
})

/** What a caller gives up with. */
function stopper() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort(new Error('enough')) }
}
