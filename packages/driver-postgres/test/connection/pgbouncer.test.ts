import { randomBytes } from 'node:crypto'
import { Manager, repository } from '@slotkeeper/core'
import { conformance } from '@slotkeeper/testing/conformance'
import { beforeAll, describe, expect, test } from 'vitest'
import { postgresDriver } from '../../src/index.ts'
import { newDatabase, newestUrl } from '../support/servers.ts'

/** The address of a database of the newest server through PgBouncer in transaction mode. */
function throughPgBouncer(database: string): string {
  const pooler = process.env.TEST_PGBOUNCER_URL
  if (pooler === undefined)
    throw new Error(
      process.env.TEST_PGBOUNCER_PROBLEM ?? 'TEST_PGBOUNCER_URL is missing: run these tests by npm test.',
    )
  const url = new URL(pooler)
  url.pathname = new URL(database).pathname
  return url.href
}

describe('through PgBouncer in transaction mode', () => {
  let connectionString = ''
  beforeAll(async () => {
    connectionString = throughPgBouncer(await newDatabase(newestUrl()))
  })

  conformance({ test, open: (store) => postgresDriver({ connectionString, schema: store }) })

  test('a Manager says that it looks, and a waiter of another one gets its slot all the same', async () => {
    const schema = `looks_${randomBytes(6).toString('hex')}`
    const words: object[] = []
    const ignore = () => {}
    const logger = {
      debug: ignore,
      info: ignore,
      error: ignore,
      warn: (fields: object) => words.push(fields),
    }
    const open = (options = {}) =>
      new Manager({ driver: postgresDriver({ connectionString, schema }), ...options })
    const hot = repository('acme/api', { concurrencyLimit: 1 })
    await using first = open()
    await using second = open({ logger })
    const slot = await first.waitForSlot({ repository: hot, run: 'acme/first' })
    const next = second.waitForSlot({ repository: hot, run: 'acme/second' })
    await expect.poll(async () => (await first.getQueuedPipelineRuns(hot)).length).toBe(1)
    await expect
      .poll(async () => (await second.health()).detail, { timeout: 15_000 })
      .toContain('looking every second')
    expect(
      words.filter((fields) => 'event' in fields && fields.event === 'notifications-blocked'),
    ).toHaveLength(1)
    await slot.release()
    await (await next).release()
  })
})
