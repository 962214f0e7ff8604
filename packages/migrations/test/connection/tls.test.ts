import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSlotkeeperError, type PostgresqlSslSettings } from '@slotkeeper/core'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectionOptions, type PostgresConnection, storeFailure } from '../../src/connection.ts'
import { type Authority, type Certified, newAuthority } from '../support/certificates.ts'
import { ownServer } from '../support/own-server.ts'
import { onEachServer, type Server } from '../support/servers.ts'

const directory = mkdtempSync(join(tmpdir(), 'slotkeeper-tls-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Of the authority `ours`, which the servers have, and of one that they do not have. */
const paths = { ours: file('ours.pem'), theirs: file('theirs.pem'), cert: file('c.pem'), key: file('c.key') }
const stranger = { cert: file('stranger.pem'), key: file('stranger.key') }

function file(name: string): string {
  return join(directory, name)
}

function write({ cert, key }: Certified, to: { readonly cert: string; readonly key: string }): void {
  writeFileSync(to.cert, cert)
  writeFileSync(to.key, key)
}

onEachServer(({ version }) => {
  let encrypting: Awaited<ReturnType<typeof ownServer>>
  let expired: Awaited<ReturnType<typeof ownServer>>
  let plain: Awaited<ReturnType<typeof ownServer>>
  let ours: Authority

  beforeAll(async () => {
    ours = await newAuthority('ours')
    const theirs = await newAuthority('theirs')
    writeFileSync(paths.ours, ours.cert)
    writeFileSync(paths.theirs, theirs.cert)
    write(await ours.client('certified'), paths)
    write(await theirs.client('certified'), stranger)
    const started = await Promise.all([
      startEncrypting(version, ours, await ours.server(['localhost'])),
      startEncrypting(version, ours, await ours.server(['127.0.0.1'], { expired: true })),
      ownServer(version, {}),
    ])
    ;[encrypting, expired, plain] = started
    await connecting(
      { host: 'localhost', port: encrypting.port, ssl: { mode: 'require' } },
      'CREATE ROLE certified LOGIN',
    )
  }, 60_000)
  afterAll(async () => {
    for (const server of [encrypting, expired, plain]) await server?.[Symbol.asyncDispose]()
  })

  /** The server's certificate is for localhost, and not for its address. */
  const at = (host: string, ssl: PostgresqlSslSettings) => ({ host, port: encrypting.port, ssl })

  test('disable encrypts nothing, and a server that wants TLS refuses it', async () => {
    expect(await connecting({ port: plain.port, host: '127.0.0.1', ssl: { mode: 'disable' } })).toBe(false)
    const error = await failing(at('localhost', { mode: 'disable' }))
    expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_PERMISSION' })
    expect(error.message).toContain('postgresql-ssl-mode')
  })

  test('require encrypts, and verifies nothing', async () => {
    expect(await connecting(at('localhost', { mode: 'require' }))).toBe(true)
    expect(await connecting(at('127.0.0.1', { mode: 'require', rootCert: paths.theirs }))).toBe(true)
  })

  test('no mode goes on without TLS when the server has none', async () => {
    for (const mode of ['require', 'verify-ca', 'verify-full'] as const) {
      const error = await failing({ port: plain.port, host: '127.0.0.1', ssl: { mode } })
      expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_TLS', retryable: false })
      expect(error.message).toContain('postgresql-ssl-mode')
    }
  })

  test('verify-ca wants the right authority, and no name', async () => {
    expect(await connecting(at('localhost', { mode: 'verify-ca', rootCert: paths.ours }))).toBe(true)
    expect(await connecting(at('127.0.0.1', { mode: 'verify-ca', rootCert: paths.ours }))).toBe(true)
  })

  test('verify-full wants the right authority and the right name', async () => {
    expect(await connecting(at('localhost', { mode: 'verify-full', rootCert: paths.ours }))).toBe(true)
    const error = await failing(at('127.0.0.1', { mode: 'verify-full', rootCert: paths.ours }))
    expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_TLS', retryable: false })
    expect(error.message).toContain('postgresql-host')
  })

  test.for([
    ['verify-ca', 'theirs'],
    ['verify-ca', 'none'],
    ['verify-full', 'theirs'],
    ['verify-full', 'none'],
  ] as const)('%s refuses a certificate of another authority (ours: %s)', async ([mode, authority]) => {
    const ssl = authority === 'none' ? { mode } : { mode, rootCert: paths[authority] }
    const error = await failing(at('localhost', ssl))
    expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_TLS', retryable: false })
    expect(error.message).toContain('postgresql-ssl-root-cert')
  })

  test('verify-ca refuses a certificate that has expired; require takes it', async () => {
    const server = { host: '127.0.0.1', port: expired.port }
    const error = await failing({ ...server, ssl: { mode: 'verify-ca', rootCert: paths.ours } })
    expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_TLS' })
    expect(await connecting({ ...server, ssl: { mode: 'require' } })).toBe(true)
  })

  test('a client certificate logs in; without one, or with one of another authority, nobody does', async () => {
    const certified = (ssl: PostgresqlSslSettings) => ({ ...at('localhost', ssl), username: 'certified' })
    const { cert, key } = paths
    const trusted = { mode: 'verify-full', rootCert: paths.ours } as const
    expect(await connecting(certified({ ...trusted, cert, key }))).toBe(true)
    const without = await failing(certified(trusted))
    expect(without).toMatchObject({ code: 'SLOTKEEPER_STORE_PERMISSION' })
    expect(without.message).toContain('postgresql-ssl-cert')
    const wrong = await failing(certified({ ...trusted, ...stranger }))
    expect(wrong).toMatchObject({ code: 'SLOTKEEPER_STORE_TLS' })
    expect(wrong.message).toContain('postgresql-ssl-cert')
    const mixed = await failing(certified({ ...trusted, cert, key: stranger.key }))
    expect(mixed).toMatchObject({ code: 'SLOTKEEPER_STORE_TLS' })
  })

  test('certificates that were changed count at the next connect, with the options as they were', async () => {
    const mounted = { cert: file(`mounted-${version}.pem`), key: file(`mounted-${version}.key`) }
    write(await ours.client('somebody-else'), mounted)
    const ssl = { mode: 'verify-full', rootCert: paths.ours, ...mounted } as const
    const options = connectionOptions({
      ...at('localhost', ssl),
      username: 'certified',
      database: 'postgres',
    })
    await using pool = disposable(new pg.Pool(options))
    await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: '28000' })
    write(await ours.client('certified'), mounted)
    await pool.query('SELECT 1')
  })

  test('a connection string says the same', async () => {
    const text = `postgresql://postgres@localhost:${encrypting.port}/postgres`
    expect(await connecting(`${text}?sslmode=require`)).toBe(true)
    expect(
      await connecting(`${text}?sslmode=verify-full&sslrootcert=${encodeURIComponent(paths.ours)}`),
    ).toBe(true)
    expect((await failing(`${text}?sslmode=verify-full`)).code).toBe('SLOTKEEPER_STORE_TLS')
    expect((await failing(text)).code).toBe('SLOTKEEPER_STORE_PERMISSION')
  })
})

test('a file that is missing, or holds something else, is told before anything is sent', () => {
  const ssl = (rootCert: string) => () => connectionOptions({ ssl: { mode: 'verify-ca', rootCert } })
  expect(ssl(file('absent.pem'))).toThrow(/absent\.pem.*ssl\.rootCert cannot be read/)
  writeFileSync(file('empty.pem'), '')
  expect(ssl(file('empty.pem'))).toThrow(/nothing in PEM/)
})

test('nothing that prints the options shows the private key or the password', async () => {
  const ours = await newAuthority('ours')
  const made = await ours.client('anybody')
  write(made, { cert: file('printed.pem'), key: file('printed.key') })
  const ssl = { mode: 'require', cert: file('printed.pem'), key: file('printed.key') } as const
  const options = connectionOptions({ username: 'u', password: 'geheim', ssl })
  const { inspect } = await import('node:util')
  const printed =
    JSON.stringify(options) + inspect(options, { depth: null, showHidden: true, getters: false })
  expect(printed).not.toContain('geheim')
  expect(printed).not.toContain('PRIVATE KEY')
})

function startEncrypting(version: Server['version'], authority: Authority, { cert, key }: Certified) {
  return ownServer(version, {
    settings: { ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key', ssl_ca_file: 'root.crt' },
    files: {
      'server.crt': cert,
      'server.key': key,
      'root.crt': authority.cert,
      'pg_hba.conf': 'hostssl all certified all cert\nhostssl all all all trust\n',
    },
  })
}

function disposable(pool: pg.Pool): pg.Pool & AsyncDisposable {
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.end() })
}

/** Connects, and tells whether the connection is encrypted, as the server sees it. */
async function connecting(connection: PostgresConnection, before = 'SELECT 1'): Promise<boolean> {
  const whole =
    typeof connection === 'string'
      ? connection
      : { username: 'postgres', database: 'postgres', ...connection }
  const client = new pg.Client(connectionOptions(whole))
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query(before)
    const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
    return (rows[0] as { ssl: boolean }).ssl
  } finally {
    await client.end()
  }
}

async function failing(connection: PostgresConnection) {
  const outcome = await connecting(connection).catch((error: unknown) => storeFailure(error, 'No connection'))
  if (isSlotkeeperError(outcome)) return outcome
  throw new Error(`It connected, and ssl is ${outcome}.`)
}
