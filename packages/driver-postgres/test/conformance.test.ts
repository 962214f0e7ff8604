import { conformance } from '@slotkeeper/testing/conformance'
import { beforeAll, test } from 'vitest'
import { postgresDriver } from '../src/index.ts'
import { newDatabase, onEachServer } from './support/servers.ts'

onEachServer((server) => {
  let connectionString = ''
  beforeAll(async () => {
    connectionString = await newDatabase(server.url)
  })
  conformance({ test, open: (store) => postgresDriver({ connectionString, schema: store }) })
})
