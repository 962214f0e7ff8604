import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { migrate } from '../src/index.ts'
import { type Authority, newAuthority } from './support/certificates.ts'
import { Sidecar, until } from './support/command.ts'
import { newDirectory, write } from './support/files.ts'
import { type OwnServer, ownServer } from './support/own-server.ts'
import { addressOf, newName, onEachServer, sql } from './support/servers.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

/** What the server itself says of the session that a file runs in. */
const ENCRYPTED = 'CREATE TABLE seen AS SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();'
const TLS = 'SLOTKEEPER_STORE_TLS'

onEachServer(({ version }) => {
  let server: OwnServer
  let ours: Authority
  let theirs: Authority

  /** It lets nobody in without TLS, except for a superuser who makes what is needed; its certificate is for localhost, not for 127.0.0.1. */
  beforeAll(async () => {
    ours = await newAuthority('ours')
    theirs = await newAuthority('theirs')
    const { cert, key } = await ours.server(['localhost'])
    server = await ownServer(version, {
      settings: { ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' },
      files: {
        ...{ 'server.crt': cert, 'server.key': key },
        'pg_hba.conf': 'host all postgres all trust\nhostssl all app all scram-sha-256\n',
      },
    })
    await asAdmin(`CREATE ROLE app LOGIN CREATEDB PASSWORD 'hunter2'`)
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const asAdmin = (text: string) => sql(server.url, text)
  const given = async (authority: Authority) => {
    const directory = await newDirectory()
    await write(directory, { 'a/001_seen.sql': ENCRYPTED, 'ca.pem': authority.cert })
    const ca = join(directory, 'ca.pem')
    const address = (host: string, parameters: string) =>
      `postgresql://app:hunter2@${host}:${server.port}/${newName()}?${parameters}`
    return {
      directory,
      ca,
      address,
      start: (env: Record<string, string>) => new Sidecar(env, ['--source', directory]),
    }
  }

  test('it is ready through TLS that is verified, as the address says', async () => {
    const { ca, address, start } = await given(ours)
    const DATABASE_URL = address('localhost', `sslmode=verify-full&sslrootcert=${encodeURIComponent(ca)}`)
    await start({ DATABASE_URL }).ready()
    const database = new URL(DATABASE_URL).pathname.slice(1)
    expect(await sql(addressOf(server.url, database), 'SELECT ssl FROM seen')).toEqual([{ ssl: true }])
  })

  test('it is ready through TLS as the environment says', async () => {
    const { ca, address, start } = await given(ours)
    await start({
      ...{ DATABASE_URL: address('localhost', ''), PGSSLMODE: 'verify-full', PGSSLROOTCERT: ca },
    }).ready()
  })

  test('a server of another authority makes it not ready, until the right one is mounted; the password stays secret', async () => {
    const { directory, ca, address, start } = await given(theirs)
    const sidecar = start({ DATABASE_URL: address('localhost', `sslmode=verify-full&sslrootcert=${ca}`) })
    expect(await sidecar.failing(TLS)).toMatchObject({
      code: 503,
      body: { postgres_healthy: false, phase: 'failed' },
    })
    expect(sidecar.command.stderr).not.toContain('hunter2')
    await write(directory, { 'ca.pem': ours.cert })
    await sidecar.ready()
  })

  test('a server of another name makes it not ready, unless only the authority counts', async () => {
    const { ca, address, start } = await given(ours)
    const by = (mode: string) =>
      start({ DATABASE_URL: address('127.0.0.1', `sslmode=${mode}&sslrootcert=${ca}`) })
    expect((await by('verify-full').failing(TLS)).body.error?.message).toContain('another name')
    await by('verify-ca').ready()
  })

  test('no TLS where the server wants it ends the start after the time for it', async () => {
    const { address, start } = await given(ours)
    const sidecar = start({
      DATABASE_URL: address('localhost', 'sslmode=disable'),
      POSTGRES_TIMEOUT_SECS: '1',
    })
    expect(await sidecar.command.ended).toMatchObject({
      code: 69,
      stderr: expect.stringContaining('pg_hba.conf'),
    })
  })

  test('a certificate that is never the right one ends the start after the time for it', async () => {
    const { ca, address, start } = await given(theirs)
    const DATABASE_URL = address('localhost', `sslmode=verify-full&sslrootcert=${ca}`)
    const sidecar = start({ DATABASE_URL, POSTGRES_TIMEOUT_SECS: '1' })
    expect(await sidecar.command.ended).toMatchObject({
      code: 69,
      stderr: expect.stringContaining('not trusted'),
    })
  })

  test('what a pool lends is cancelled with the password and the TLS of the pool', async () => {
    const database = newName()
    await asAdmin(`CREATE DATABASE ${database} OWNER app`)
    const ssl = { ca: ours.cert }
    const pool = new pg.Pool({
      ...{ host: 'localhost', port: server.port, user: 'app', password: 'hunter2', database, ssl },
    })
    const end = new AbortController()
    const source = [{ path: 'a/001_x.sql', content: 'SELECT pg_sleep(600)' }]
    const running = expect(migrate({ pool, source, signal: end.signal })).rejects.toThrow('stop')
    const sleeping = () =>
      asAdmin(`SELECT 1 FROM pg_stat_activity WHERE datname = '${database}' AND wait_event = 'PgSleep'`)
    await until(async () => (await sleeping()).length === 1)
    end.abort(new Error('stop'))
    await running
    expect(await sleeping()).toEqual([])
    await pool.end()
  })
})
