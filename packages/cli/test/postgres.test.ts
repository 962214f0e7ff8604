import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectionOptions } from '@slotkeeper/migrations/connection'
import pg from 'pg'
import { expect } from 'vitest'
import { parse } from 'yaml'
import { test } from './scene.ts'

const RUN = ['run', '--repository', 'acme/api', '--limit', '1', '--quiet']

/** A new, empty database on the tests' server, dropped when the test is over. */
async function newStore(whenOver: (drop: () => Promise<void>) => void): Promise<string> {
  const server = process.env.TEST_POSTGRES_URL
  if (server === undefined) throw new Error('TEST_POSTGRES_URL is missing: npm test sets it.')
  const name = `slotkeeper_test_${randomBytes(6).toString('hex')}`
  await sql(server, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`)
  whenOver(() => sql(server, `DROP DATABASE ${name} WITH (FORCE)`))
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

async function sql(server: string, text: string): Promise<void> {
  const client = new pg.Client(connectionOptions(server))
  await client.connect()
  await client.query(text)
  await client.end()
}

test.concurrent('commands take turns on a PostgreSQL database, and every verb sees it', async ({
  scene,
  onTestFinished,
}) => {
  const store = await newStore(onTestFinished)
  const env = { SLOTKEEPER_STORE: store }
  const before = await scene.finish(['status'], env)
  expect(before).toMatchObject({ code: 69, stdout: '' })
  expect(before.stderr).toContain('holds no store')

  const first = scene.start(
    [...RUN, '--run', 'acme/first', '--', 'sh', '-c', 'until [ -e open ]; do sleep 0.05; done'],
    env,
  )
  const running = async () =>
    (await scene.finish(['status', '--repository', 'acme/api', '--json'], env)).stdout
  await scene.until('the first has the slot', async () => (await running()).includes('acme/first'))
  const refused = await scene.finish([...RUN, '--wait', '0', '--store', store, '--', 'true'])
  expect(refused.code).toBe(124)
  const second = scene.start([...RUN, '--run', 'acme/second', '--', 'echo', 'second'], env)
  const queue = async () => (await scene.finish(['queue', '--repository', 'acme/api', '--json'], env)).stdout
  await scene.until('the second waits', async () => (await queue()).includes('acme/second'))
  expect(JSON.parse(await queue())).toMatchObject({ store: store.replace('postgres:', 'postgresql:') })
  await scene.finish(['pause', '--repository', 'acme/api', '--yes', '--reason', 'x'], env)
  await scene.finish(['resume', '--repository', 'acme/api', '--yes', '--reason', 'x'], env)
  writeFileSync(join(scene.directory, 'open'), '')
  expect((await first.ended).code).toBe(0)
  expect(await second.ended).toMatchObject({ code: 0, stdout: 'second\n' })
})

test.concurrent('a database that cannot be used is told with its setting, and without the password', async ({
  scene,
  onTestFinished,
}) => {
  const url = new URL(await newStore(onTestFinished))
  url.pathname = '/slotkeeper_absent'
  url.password = 'c4n4ry'
  for (const args of [['status'], [...RUN, '--', 'true']]) {
    const { code, stdout, stderr } = await scene.finish(args, { SLOTKEEPER_STORE: url.href })
    expect({ code, stdout }).toEqual({ code: 69, stdout: '' })
    expect(stderr).toContain('postgresql-database')
    expect(stderr).not.toContain('c4n4ry')
  }
})

test.concurrent('the worker of the Compose example, run with its own command and variables, gets a slot', async ({
  scene,
  onTestFinished,
}) => {
  const file = new URL('../../../deploy/compose/postgres-store.yaml', import.meta.url)
  const { worker, postgres } = parse(readFileSync(file, 'utf8')).services
  const store = new URL(worker.environment.SLOTKEEPER_STORE)
  const { POSTGRES_USER: user } = postgres.environment
  expect([store.hostname, store.username, store.pathname]).toEqual(['postgres', user, `/${user}`])
  const { code, stdout } = await scene.finish(worker.command, {
    SLOTKEEPER_STORE: await newStore(onTestFinished),
  })
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'done with slot 1\n' })
})
