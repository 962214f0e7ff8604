import { conformance } from '@slotkeeper/testing/conformance'
import { beforeAll, test } from 'vitest'
import { postgresDriver } from '../src/index.ts'
import { newDatabase, onEachServer } from './support/servers.ts'

onEachServer((server) => {
  let database = ''
  beforeAll(async () => {
    database = await newDatabase(server.url)
  })
  conformance({ test, open: (store) => postgresDriver({ connectionString: database, schema: store }) })
})
