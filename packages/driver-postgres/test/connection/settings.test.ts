import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSlotkeeperError, parseSettings, repository } from '@slotkeeper/core'
import { createManager } from '@slotkeeper/core/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgresPrograms } from '../../../../scripts/postgres-programs.mjs'
import { startPostgres } from '../../../../scripts/postgres-server.mjs'
import { postgresDriver } from '../../src/index.ts'
import { sql } from '../support/servers.ts'

const directory = mkdtempSync(join(tmpdir(), 'slotkeeper-settings-'))
const passwordFile = join(directory, 'password')
let server: Awaited<ReturnType<typeof startPostgres>>
let url = ''

beforeAll(async () => {
  server = await startPostgres(await postgresPrograms('18'), {
    files: { 'pg_hba.conf': 'host all postgres all trust\nhost all all all scram-sha-256\n' },
  })
  url = server.urls[0] as string
  await sql(url, "CREATE ROLE app LOGIN PASSWORD 'first'")
  await sql(url, 'CREATE DATABASE app OWNER app TEMPLATE template0')
}, 60_000)
afterAll(async () => {
  await server?.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** As a ConfigMap says it. */
function managerOf(more: Readonly<Record<string, string>>) {
  const settings = parseSettings({
    ...{ 'concurrency-enabled': 'true', 'concurrency-driver': 'postgresql' },
    ...{ 'concurrency-call-timeout': '30s', 'postgresql-host': '127.0.0.1' },
    ...{ 'postgresql-port': new URL(url).port, 'postgresql-database': 'app', 'postgresql-username': 'app' },
    ...more,
  })
  return createManager(settings, { load: async () => ({ postgresDriver }) })
}

test('a Manager of settings goes on when the password is rotated and every connection was cut', async () => {
  const repo = repository('acme/api', { concurrencyLimit: 1 })
  writeFileSync(passwordFile, 'first\n')
  await using manager = await managerOf({ 'postgresql-password-file': passwordFile })
  const slot = await manager.waitForSlot({ repository: repo, run: 'acme/before' })
  await sql(url, "ALTER ROLE app PASSWORD 'second'")
  writeFileSync(passwordFile, 'second\n')
  await sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
  expect(await slot.release()).toMatchObject({ kind: 'released' })
  expect(slot.signal.aborted).toBe(true)
  await (await manager.waitForSlot({ repository: repo, run: 'acme/after' })).release()
  await sql(url, "ALTER ROLE app PASSWORD 'first'")
})

test.for([
  [{ 'postgresql-password': 'geheim' }, 'postgresql-password-file'],
  [{ 'postgresql-database': 'absent', 'postgresql-password': 'first' }, 'postgresql-database'],
  [{ 'postgresql-ssl-mode': 'require', 'postgresql-password': 'first' }, 'postgresql-ssl-mode'],
] as const)(
  'a setting that cannot be right is named by the first call, once and without the password: %j',
  async ([wrong, setting]) => {
    await using manager = await managerOf(wrong)
    const failure: unknown = await manager.getCurrentSlots('acme/api').catch((error: unknown) => error)
    expect(isSlotkeeperError(failure)).toBe(true)
    expect(failure).toMatchObject({ retryable: false })
    expect(String(failure)).toContain(setting)
    expect(String(failure)).not.toMatch(/geheim|first/)
  },
)
