import { expect, test, vi } from 'vitest'
import { put } from '../src/operations.ts'
import { endpoints, newPrefix } from './support/servers.ts'
import { steeredWay } from './support/steered-way.ts'
import { until } from './support/store.ts'
import { transportTo, watchAll } from './support/transport.ts'

vi.setConfig({ testTimeout: 120_000 })

test('a watch that is cut while it catches up is told of everything all the same', async () => {
  const [target] = endpoints() as [string]
  const prefix = newPrefix()
  const direct = transportTo([new URL(target).host])
  const write = (name: string) =>
    direct.txn({ success: [put(`${prefix}/${name}`, 'x'.repeat(200))] }, { timeoutMs: 60_000 })
  const way = await steeredWay(target)
  const told = watchAll(transportTo([way.host]), prefix)
  await until('it begins', () => told.begun > 0)
  way.next = 'reset'
  way.cut()
  // A server that catches up tells a thousand revisions at once.
  const names = Array.from({ length: 3000 }, (_, n) => `missed-${n}`)
  await Promise.all(names.map(write))
  way.next = 400_000
  await until('it is cut, and told of something new', async () => {
    await write('new')
    return way.next === 'serve' && told.keys.has(`${prefix}/new`)
  })
  expect(names.filter((name) => !told.keys.has(`${prefix}/${name}`))).toEqual([])
  expect(told.begun).toBe(1)
})
