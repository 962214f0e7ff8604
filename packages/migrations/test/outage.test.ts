import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { Sidecar, until } from './support/command.ts'
import { mount, newDirectory } from './support/files.ts'
import { gate } from './support/gate.ts'
import { ownServer } from './support/own-server.ts'
import { onEachServer, sql } from './support/servers.ts'

vi.setConfig({ testTimeout: 120_000 })

const AWAY = 'SLOTKEEPER_STORE_UNAVAILABLE'
const TRIES = 3

onEachServer(({ version }) => {
  test.each([
    ['stops', 'SIGINT'],
    ['crashes', 'SIGQUIT'],
  ] as const)(
    'a server that %s while the ConfigMap changes: the change is applied when it is back',
    async (_, signal) => {
      await using server = await ownServer(version)
      const CONFIGMAP_PATH = await newDirectory()
      const flags = await newDirectory()
      const DATABASE_URL = server.url
      const first = { 'gcp_001_a.sql': 'CREATE TABLE a ();' }
      await mount(CONFIGMAP_PATH, 1, first)
      const sidecar = new Sidecar({
        DATABASE_URL,
        CONFIGMAP_PATH,
        MIGRATIONS_READY_SENTINEL_PATH: join(flags, 'ready'),
      })
      await sidecar.ready()

      await server.stop(signal)
      expect(await sidecar.get('/readiness')).toMatchObject({ code: 503, body: { postgres_healthy: false } })
      await mount(CONFIGMAP_PATH, 2, { ...first, 'gcp_002_b.sql': 'CREATE TABLE b ();' })
      await until(() => tries(sidecar) >= TRIES)
      expect(await sidecar.get('/readiness')).toMatchObject({
        code: 503,
        body: { status: 'not ready', phase: 'waiting', migrations_applied: false, error: { code: AWAY } },
      })
      expect(await sidecar.get('/liveness')).toMatchObject({ code: 200 })

      await server.start()
      expect((await sidecar.ready()).body).toMatchObject({ total: 2, postgres_healthy: true })
      expect(await sql(DATABASE_URL, `SELECT to_regclass('b')::text AS b`)).toEqual([{ b: 'b' }])
    },
  )

  test('a server that crashes in the middle of a file: the file is rolled back, and applied when it is back', async () => {
    await using server = await ownServer(version)
    const CONFIGMAP_PATH = await newDirectory()
    const DATABASE_URL = server.url
    const closed = await gate(DATABASE_URL, 'SELECT pg_advisory_lock(7)')
    await mount(CONFIGMAP_PATH, 1, {
      'gcp_001_a.sql': 'CREATE TABLE a (); SELECT pg_advisory_xact_lock(7); CREATE TABLE b ();',
    })
    const sidecar = new Sidecar({ DATABASE_URL, CONFIGMAP_PATH })
    await closed.blocked()
    await server.stop('SIGQUIT')
    await closed.lost
    await until(() => tries(sidecar) >= TRIES)
    await server.start()
    expect((await sidecar.ready()).body).toMatchObject({ total: 1 })
    expect(await sql(DATABASE_URL, `SELECT to_regclass('b')::text AS b`)).toEqual([{ b: 'b' }])
  })
})

/** How often it has told that the database is away. */
function tries({ command }: Sidecar): number {
  return command.stderr.split('\n').filter((line) => line.includes(`"code":"${AWAY}"`)).length
}
