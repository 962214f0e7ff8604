import { expect, test, vi } from 'vitest'
import { migrate } from '../src/index.ts'
import { throughProxy } from './support/proxy.ts'
import { newDatabase, onEachServer } from './support/servers.ts'

vi.setConfig({ testTimeout: 300_000 })

onEachServer((server) => {
  test('a source of 10,000 files is applied, and looked through in one question', async () => {
    const many = Array.from({ length: 10_000 }, (_, at) => ({
      path: `many/${at + 1}_f.sql`,
      content: `SELECT ${at};`,
    }))
    const connectionString = await newDatabase(server.url)
    expect((await migrate({ connectionString, source: many })).applied).toHaveLength(10_000)
    await using proxy = await throughProxy(connectionString)
    expect(await migrate({ connectionString: proxy.url, source: many })).toMatchObject({
      applied: [],
      total: 10_000,
    })
    expect(proxy.messages()).toHaveLength(1)
  })
})
