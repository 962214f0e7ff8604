import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Manager, repository } from '@slotkeeper/core'
import { SlotkeeperError, type WatchEvent } from '@slotkeeper/core/driver'
import { recordingLogger } from '@slotkeeper/testing'
import pg from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { throughProxy } from './support/proxy.ts'
import { newDatabase, newestUrl, newName, sql } from './support/servers.ts'
import { ask, driverOf, grantOf, openDriver, openHolder, REPO } from './support/store.ts'

let connectionString = ''
beforeAll(async () => {
  connectionString = await newDatabase(newestUrl())
})

/** A server on loopback, ended with the test. @returns an address of PostgreSQL that leads to it */
async function listening(server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const url = new URL(connectionString)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return url.href
}

test('a connection that says nothing any more costs no slot: the next heartbeat goes by another one', async () => {
  const proxy = await throughProxy(connectionString)
  const schema = newName('s')
  const logger = recordingLogger()
  const driver = driverOf({ connectionString: proxy.url, schema })
  const manager = new Manager({ driver, logger, holderTtlMs: 3000, callTimeoutMs: 1000 })
  onTestFinished(() => manager.close())
  const slot = await manager.waitForSlot({
    repository: repository('acme/api', { concurrencyLimit: 1 }),
    run: 'acme/run',
  })
  const expiry = async () => {
    const [row] = await sql(connectionString, `SELECT max(expires_at) AS at FROM ${schema}.holders`)
    return row?.at as number
  }
  const first = await expiry()
  await expect.poll(expiry, { timeout: 15_000 }).toBeGreaterThan(first)
  proxy.silence()
  await expect.poll(() => logger.find('heartbeat-failed'), { timeout: 15_000 }).toBeDefined()
  const last = await expiry()
  await expect.poll(expiry, { timeout: 15_000 }).toBeGreaterThan(last)
  expect([slot.isHeld, logger.find('holder-lost')]).toEqual([true, undefined])
})

test('connections that fell silent together fail one call, not one each', async () => {
  const proxy = await throughProxy(connectionString)
  const driver = driverOf({ connectionString: proxy.url, schema: newName('s'), maxConnections: 5 })
  const manager = new Manager({ driver })
  onTestFinished(() => manager.close())
  const look = (timeoutMs: number) => manager.getCurrentSlots('acme/api', { timeoutMs })
  await Promise.all(Array.from({ length: 5 }, () => look(10_000)))
  proxy.silence()
  await expect(look(500)).rejects.toMatchObject({ code: 'SLOTKEEPER_CALL_TIMEOUT' })
  expect(await look(10_000)).toMatchObject({ running: 0 })
})

test('a watch that fell silent with the others begins again, and says so', async () => {
  const proxy = await throughProxy(connectionString)
  const schema = newName('s')
  const driver = await openDriver({ connectionString: proxy.url, schema })
  const controller = new AbortController()
  const heard: WatchEvent[] = []
  const reading = (async () => {
    for await (const hint of driver.watch({ wants: () => true, signal: controller.signal })) heard.push(hint)
  })()
  await expect.poll(() => heard).toEqual([{ kind: 'resync' }])
  proxy.silence()
  const call = new AbortController()
  const look = driver.read({ kind: 'repositories', after: '', first: 1 }, call.signal)
  call.abort(new SlotkeeperError('SLOTKEEPER_CALL_TIMEOUT', 'No answer came.'))
  await expect(look).rejects.toMatchObject({ retryable: true })
  await expect.poll(() => heard.length, { timeout: 15_000 }).toBeGreaterThan(1)
  expect(heard.slice(1).every(({ kind }) => kind === 'resync')).toBe(true)
  const other = await openDriver({ connectionString, schema })
  const holder = await openHolder(other)
  await ask(other, holder, [
    { kind: 'watch', repository: REPO, ticket: 'w', forMs: 600_000, outcome: undefined },
  ])
  await grantOf(other, 'acme/a', holder)
  await expect.poll(() => heard.some(({ kind }) => kind === 'event')).toBe(true)
  controller.abort()
  await reading
})

// The default time for connecting, 30 s, is longer than a test may take.
test('a server that accepts and says nothing holds up neither an end of opening nor closing', async () => {
  const server = createServer((socket) => socket.on('error', () => {}))
  const url = await listening(server)
  const driver = driverOf({ connectionString: url, schema: newName('s') })
  const controller = new AbortController()
  server.once('connection', () => controller.abort(new Error('given up')))
  await expect(driver.open({ schema: 'check' }, controller.signal)).rejects.toThrow('given up')
  const manager = new Manager({ driver: driverOf({ connectionString: url, schema: newName('s') }) })
  const call = manager.getCurrentSlots('acme/api', { timeoutMs: 200 })
  await expect(call).rejects.toMatchObject({ code: 'SLOTKEEPER_CALL_TIMEOUT' })
  await manager.close()
})

test('a connection that the server ends as soon as it has accepted it fails a call and nothing else', async () => {
  const schema = newName('s')
  await openDriver({ connectionString, schema })
  const { hostname, port } = new URL(connectionString)
  const ready = Buffer.from([0x5a, 0, 0, 0, 5])
  const body = Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0')
  const head = Buffer.from([0x45, 0, 0, 0, body.length + 4])
  let ended = 0
  const url = await listening(
    createServer((client) => {
      const upstream = connect(Number(port), hostname)
      for (const socket of [client, upstream]) socket.on('error', () => {})
      client.on('close', () => upstream.destroy())
      client.pipe(upstream)
      upstream.on('data', (chunk) => {
        if (chunk.includes(ready)) ended++
        if (!chunk.includes(ready)) client.write(chunk)
        // In the same breath, so that both are read at once.
        else client.end(Buffer.concat([chunk, head, body]))
      })
    }),
  )
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  pool.on('error', () => {})
  onTestFinished(() => pool.end())
  for (const options of [{ connectionString: url }, { pool }])
    await expect(driverOf({ ...options, schema }).open({ schema: 'check' })).rejects.toMatchObject({
      retryable: true,
    })
  expect(ended).toBeGreaterThan(1)
})
