import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { test } from './scene.ts'

const RUN = ['run', '--repository', 'acme/api', '--limit', '1', '--quiet']

/** A store that nobody has, on the tests' etcd. */
function newStore(): string {
  const endpoints = process.env.TEST_ETCD_ENDPOINTS
  if (endpoints === undefined) throw new Error('TEST_ETCD_ENDPOINTS is missing: npm test sets it.')
  const hosts = endpoints.replaceAll(/https?:\/\//g, '')
  return `etcd://${hosts}/slotkeeper-test-${randomBytes(6).toString('hex')}`
}

test.concurrent('commands take turns on an etcd, and every verb sees it', async ({ scene }) => {
  const store = newStore()
  const env = { SLOTKEEPER_STORE: store }
  const before = await scene.finish(['status'], env)
  expect(before).toMatchObject({ code: 69, stdout: '' })
  expect(before.stderr).toContain('There is no store')

  const first = scene.start(
    [...RUN, '--run', 'acme/first', '--', 'sh', '-c', 'until [ -e open ]; do sleep 0.05; done'],
    env,
  )
  const running = async () =>
    (await scene.finish(['status', '--repository', 'acme/api', '--json'], env)).stdout
  await scene.until('the first has the slot', async () => (await running()).includes('acme/first'))
  expect((await scene.finish([...RUN, '--wait', '0', '--store', store, '--', 'true'])).code).toBe(124)
  const second = scene.start([...RUN, '--run', 'acme/second', '--', 'echo', 'second'], env)
  const queue = async () => (await scene.finish(['queue', '--repository', 'acme/api', '--json'], env)).stdout
  await scene.until('the second waits', async () => (await queue()).includes('acme/second'))
  expect(JSON.parse(await queue())).toMatchObject({ store })
  writeFileSync(join(scene.directory, 'open'), '')
  expect((await first.ended).code).toBe(0)
  expect(await second.ended).toMatchObject({ code: 0, stdout: 'second\n' })
})

test.concurrent('after a restore the tokens of a store are raised above the clock, once it is agreed to', async ({
  scene,
}) => {
  const env = { SLOTKEEPER_STORE: newStore() }
  expect((await scene.finish(['restored', '--yes'], env)).code).toBe(69)
  const token = async () =>
    Number((await scene.finish([...RUN, '--', 'sh', '-c', 'echo $SLOTKEEPER_FENCING_TOKEN'], env)).stdout)
  const before = await token()
  expect((await scene.finish(['restored'], env)).code).toBe(77)
  const since = Date.now() * 1000
  const raised = await scene.finish(['restored', '--yes', '--json'], env)
  expect(raised.code).toBe(0)
  expect(Number(JSON.parse(raised.stdout).tokenFloor)).toBeGreaterThanOrEqual(since)
  expect(await token()).toBeGreaterThan(since)
  expect(before).toBeLessThan(since)
})
