import type { Driver } from '@slotkeeper/core/driver'
import { conformance, modelTest } from '@slotkeeper/testing/conformance'
import { beforeAll, describe, test } from 'vitest'
import { postgresDriver } from '../src/index.ts'
import { newDatabase, onEachServer, sql } from './support/servers.ts'

onEachServer((server) => {
  let connectionString = ''
  beforeAll(async () => {
    connectionString = await newDatabase(server.url)
  })
  const made = new Set<string>()
  conformance({
    test,
    open: async (store) => {
      const driver = () => postgresDriver({ connectionString, schema: store })
      // Making tables takes longer than some of the tests let a call take on a busy machine.
      if (!made.has(store)) await makeStore(driver())
      made.add(store)
      return driver()
    },
  })

  describe('more sequences, since a schema that is emptied is ready sooner than a new one', () => {
    const schema = 'emptied'
    let emptiedFor = ''
    beforeAll(() => makeStore(postgresDriver({ connectionString, schema })))
    modelTest({
      test,
      open: async (store) => {
        if (store !== emptiedFor) {
          const tables = ['concurrency_slots', 'repository_states', 'domains', 'holders']
          const emptying = tables.map((table) => `DELETE FROM ${schema}.${table}`)
          await sql(connectionString, [...emptying, `UPDATE ${schema}.store SET token_floor = 0`].join('; '))
          emptiedFor = store
        }
        return postgresDriver({ connectionString, schema, listen: false })
      },
    })
  })
})

async function makeStore(driver: Driver): Promise<void> {
  await driver.open({ schema: 'migrate' })
  await driver.close()
}
