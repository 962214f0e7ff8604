import { expect, test, vi } from 'vitest'
import { put } from '../src/operations.ts'
import { endpoints, newPrefix } from './support/servers.ts'
import { steeredWay } from './support/steered-way.ts'
import { until } from './support/store.ts'
import { transportTo, watchAll } from './support/transport.ts'

vi.setConfig({ testTimeout: 120_000 })

const [target] = endpoints() as [string]

for (const [what, isReset] of [
  ['accepted and then silent', false],
  ['accepted and then silent after one that was reset', true],
] as const)
  test(`a connection that is ${what} is given up, and the only member is reached by a new one`, async () => {
    const way = await steeredWay(target)
    const transport = transportTo([way.host])
    await transport.txn({}, {})
    if (isReset) {
      way.next = 'reset'
      way.cut()
      await until('a connection is reset', async () => {
        await transport.txn({}, {}).catch(() => undefined)
        return way.connections > 1
      })
    }
    const before = way.connections
    way.next = 'swallow'
    way.cut()
    await until('a connection is swallowed', async () => {
      await transport.txn({}, { timeoutMs: 50 }).catch(() => undefined)
      return way.connections > before
    })
    way.next = 'serve'
    await until('the member answers', async () => {
      await transport.txn({}, { signal: AbortSignal.timeout(1000) })
      return true
    })
  })

test('a connection to a silent member ends in the end when the transport is closed as well, so that the process may', async () => {
  const silent = await steeredWay(target)
  silent.next = 'swallow'
  const transport = transportTo([silent.host])
  await expect(transport.txn({}, { timeoutMs: 50 })).rejects.toThrow()
  await until('there is a connection', () => silent.open > 0)
  transport.close()
  await until('it ends', () => silent.open === 0)
})

test('a write that has found no connection to a silent member is made by way of the next one', async () => {
  const silent = await steeredWay(target)
  silent.next = 'swallow'
  const transport = transportTo([silent.host, new URL(target).host])
  const { succeeded } = await transport.txn({ success: [put(`${newPrefix()}/x`, '')] }, {})
  expect(succeeded).toBe(true)
  expect(silent.connections).toBeGreaterThan(0)
})

test('a watch that a silent member does not begin is begun by the next one', async () => {
  const silent = await steeredWay(target)
  silent.next = 'swallow'
  const told = watchAll(transportTo([silent.host, new URL(target).host]), newPrefix())
  await until('it begins', () => told.begun > 0)
})
