import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { HolderId } from '@slotkeeper/core/driver'
import { expect, onTestFinished, test } from 'vitest'
import { etcdDriver } from '../src/index.ts'
import { ownCluster, userOf } from './support/cluster.ts'
import { endpoints, newPrefix } from './support/servers.ts'
import { driverOf, managerOf, repo, until } from './support/store.ts'

test('who only checks is told that there is no store, and makes none', async () => {
  const prefix = newPrefix()
  const driver = driverOf({ endpoints: endpoints(), prefix })
  await expect(driver.open({ schema: 'check' })).rejects.toMatchObject({ code: 'SLOTKEEPER_SCHEMA_MISSING' })
  expect(await userOf(endpoints()).getAll().prefix(prefix).keys()).toEqual([])
})

test('a store of a newer release, and keys of another program, are refused and left as they are', async () => {
  const client = userOf(endpoints())
  for (const [value, code] of [
    ['99', 'SLOTKEEPER_SCHEMA_TOO_NEW'],
    ['theirs', 'SLOTKEEPER_STORE_FOREIGN'],
  ] as const) {
    const prefix = newPrefix()
    await client.put(`${prefix}/layout`).value(value)
    for (const schema of ['migrate', 'check'] as const)
      await expect(driverOf({ endpoints: endpoints(), prefix }).open({ schema })).rejects.toMatchObject({
        code,
      })
    expect(await client.getAll().prefix(prefix).strings()).toEqual({ [`${prefix}/layout`]: value })
  }
})

test('many who open a new store at once make one', async () => {
  const prefix = newPrefix()
  const drivers = Array.from({ length: 6 }, () => driverOf({ endpoints: endpoints(), prefix }))
  await Promise.all(drivers.map(async (driver) => driver.open({ schema: 'migrate' })))
  expect(await userOf(endpoints()).get(`${prefix}/layout`).string()).toBe('1')
})

test('options that cannot be meant are refused at once, and no password is repeated', () => {
  const wrong = [
    { endpoints: [] },
    { endpoints: ['localhost'] },
    { endpoints: ['ftp://localhost:1'] },
    { endpoints: ['http://ann:c4n4ry@localhost:2379'] },
    { prefix: '' },
    { prefix: 'a/' },
    { dialTimeoutMs: 0 },
    { maxOperations: 63 },
    { username: 'ann' },
    { password: 'c4n4ry' },
    { tls: { certFile: 'x' } },
  ]
  for (const options of wrong) {
    let failure: unknown
    try {
      etcdDriver(options)
    } catch (error) {
      failure = error
    }
    expect(failure, JSON.stringify(options)).toMatchObject({ code: 'SLOTKEEPER_INVALID_ARGUMENT' })
    expect(String(failure)).not.toContain('c4n4ry')
  }
})

test('no member that can be reached, a wrong scheme and a missing file are told by codes, within the dial timeout', async () => {
  const secure = endpoints().map((endpoint) => endpoint.replace('http:', 'https:'))
  for (const [options, code] of [
    [{ endpoints: ['http://127.0.0.1:1', 'http://127.0.0.1:2'] }, 'SLOTKEEPER_STORE_UNAVAILABLE'],
    [{ endpoints: secure }, 'SLOTKEEPER_STORE_TLS'],
    [{ endpoints: secure, tls: { caFile: '/nowhere/ca.pem' } }, 'SLOTKEEPER_STORE_TLS'],
  ] as const) {
    const driver = driverOf({ ...options, prefix: newPrefix(), dialTimeoutMs: 1500 })
    await expect(driver.open({ schema: 'migrate' }), JSON.stringify(options)).rejects.toMatchObject({ code })
  }
})

test('a server that resets connections is tried again, until one says what is wrong', async () => {
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.once('data', () => {
      if (connections < 4) socket.resetAndDestroy()
      else socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
  })
  onTestFinished(() => void server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const driver = driverOf({ endpoints: [`https://127.0.0.1:${port}`], dialTimeoutMs: 10_000 })
  await expect(driver.open({ schema: 'migrate' })).rejects.toMatchObject({ code: 'SLOTKEEPER_STORE_TLS' })
  expect(connections).toBeGreaterThanOrEqual(4)
})

test('a user, a wrong password and a prefix without rights: least privilege is enough, less is told', async () => {
  const { endpoints: own } = await ownCluster()
  const client = userOf(own)
  await client.role('root').create()
  await client.user('root').create('root')
  await client.user('root').addRole('root')
  await client.role('slots').create()
  await client.auth.roleGrantPermission({
    name: 'slots',
    perm: { permType: 'Readwrite', key: Buffer.from('/slotkeeper/'), range_end: Buffer.from('/slotkeeper0') },
  })
  await client.user('app').create('c4n4ry')
  await client.user('app').addRole('slots')
  await client.auth.authEnable()

  const manager = managerOf({ endpoints: own, username: 'app', password: 'c4n4ry' })
  const slot = await manager.acquireSlot({ repository: repo(1), run: 'acme/1' })
  expect(slot.kind).toBe('granted')
  expect(await manager.health()).toMatchObject({ ok: true })

  const wrong = [
    [{ username: 'app', password: 'wrong' }, 'SLOTKEEPER_STORE_PERMISSION'],
    [{}, 'SLOTKEEPER_STORE_PERMISSION'],
    [{ username: 'app', password: 'c4n4ry', prefix: '/elsewhere' }, 'SLOTKEEPER_STORE_PERMISSION'],
  ] as const
  for (const [options, code] of wrong) {
    const driver = driverOf({ endpoints: own, ...options })
    const failure = await Promise.resolve(driver.open({ schema: 'migrate' })).catch((error: unknown) => error)
    expect(failure, JSON.stringify(options)).toMatchObject({ code, retryable: false })
    expect(String(failure)).not.toContain('c4n4ry')
  }
})

test('a holder that cannot be opened leaves no lease behind', async () => {
  const { endpoints: own } = await ownCluster()
  const client = userOf(own)
  await client.role('root').create()
  await client.user('root').create('root')
  await client.user('root').addRole('root')
  await client.role('slots').create()
  // All but the keys of holders, of which a lease knows nothing.
  for (const [from, to] of [
    ['/slotkeeper/', '/slotkeeper/holder/'],
    ['/slotkeeper/holder0', '/slotkeeper0'],
  ] as const)
    await client.auth.roleGrantPermission({
      name: 'slots',
      perm: { permType: 'Readwrite', key: Buffer.from(from), range_end: Buffer.from(to) },
    })
  await client.user('app').create('app')
  await client.user('app').addRole('slots')
  await client.auth.authEnable()
  const root = userOf(own, { username: 'root', password: 'root' })
  const granted = async () => {
    const { leases } = await root.leaseClient.leaseLeases()
    return leases.length
  }
  const driver = driverOf({ endpoints: own, username: 'app', password: 'app' })
  await driver.open({ schema: 'migrate' })
  await expect(driver.openHolder('somebody' as HolderId, 600_000)).rejects.toMatchObject({
    code: 'SLOTKEEPER_STORE_PERMISSION',
  })
  await until('no lease is left', async () => (await granted()) === 0)
})

test('a Manager that has given all back leaves no lease behind when it is closed', async () => {
  const { endpoints: own } = await ownCluster()
  const client = userOf(own)
  const leases = async () => (await client.leaseClient.leaseLeases()).leases.length
  const manager = managerOf({ endpoints: own }, { holderTtlMs: 600_000 })
  const outcome = await manager.acquireSlot({ repository: repo(1), run: 'acme/1' })
  if (outcome.kind !== 'granted') throw new Error('not granted')
  expect(await leases()).toBe(1)
  await outcome.slot.release()
  await manager.close()
  expect(await leases()).toBe(0)
})
