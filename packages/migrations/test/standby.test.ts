import { expect, test, vi } from 'vitest'
import { ensureDatabase, migrate, status, verify } from '../src/index.ts'
import { Sidecar, until } from './support/command.ts'
import { newDirectory, write } from './support/files.ts'
import { ownServer } from './support/own-server.ts'
import { onEachServer, sql } from './support/servers.ts'

vi.setConfig({ testTimeout: 120_000 })

const first = { path: 'a/001_first.sql', content: 'CREATE TABLE first ();' }
const second = { path: 'a/002_second.sql', content: 'CREATE TABLE second ();' }

onEachServer(({ version }) => {
  test('a standby that follows its primary knows what is applied, refuses what is new, and takes it once it is promoted', async () => {
    await using server = await ownServer(version, { standby: true })
    const standby = String(server.standbyUrl)
    await migrate({ connectionString: server.url, source: [first] })
    await until(async () => (await pending(standby, [first])).length === 0)
    expect(await sql(standby, 'SELECT pg_is_in_recovery() AS is')).toEqual([{ is: true }])

    // Looking is allowed, and so is a start that finds nothing to do.
    expect(await ensureDatabase({ connectionString: standby })).toEqual({ created: false })
    expect(await migrate({ connectionString: standby, source: [first] })).toMatchObject({ applied: [] })
    expect(await status({ connectionString: standby, source: [first, second] })).toMatchObject([
      { state: 'applied' },
      { state: 'pending' },
    ])
    await expect(migrate({ connectionString: standby, source: [first, second] })).rejects.toMatchObject({
      code: 'SLOTKEEPER_STORE_READ_ONLY',
      message: expect.stringContaining('standby'),
    })

    const directory = await newDirectory()
    await write(directory, { [first.path]: first.content })
    const sidecar = new Sidecar({ DATABASE_URL: standby }, ['--source', directory])
    await sidecar.ready()
    await write(directory, { [second.path]: second.content })
    expect(await sidecar.failing('SLOTKEEPER_STORE_READ_ONLY')).toMatchObject({
      code: 503,
      body: { postgres_healthy: true, migrations_applied: false },
    })
    await sql(standby, 'SELECT pg_promote()')
    await sidecar.ready()
    expect(await pending(standby, [first, second])).toEqual([])
    // The old primary has nothing of it: nobody wrote past the promoted one.
    expect(await pending(server.url, [first, second])).toEqual([second.path])
  })
})

async function pending(connectionString: string, source: readonly (typeof first)[]) {
  return (await verify({ connectionString, source })).pending
}
