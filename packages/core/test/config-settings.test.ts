import { describe, expect, test } from 'vitest'
import { parseSettings } from '../src/config/parse-settings.ts'
import { settingKey, settingNames } from '../src/config/setting-keys.ts'
import { settingReferences } from '../src/config/setting-reference.ts'
import { isSlotkeeperError } from '../src/errors.ts'
import { invalidConfig, problemsOf } from './config-problems.ts'

const hour = 3_600_000

/** For data that TypeScript would not let pass, as YAML and JavaScript do. */
function parse(data: unknown) {
  return parseSettings(data as Record<string, string>)
}

describe('defaults', () => {
  test('without any key, every setting has the documented default', () => {
    expect(parseSettings({})).toStrictEqual({
      enabled: false,
      driver: 'memory',
      holderTtlMs: 30_000,
      claimTimeoutMs: 60_000,
      callTimeoutMs: 10_000,
      logLevel: 'info',
      etcd: { endpoints: ['localhost:2379'], dialTimeoutMs: 5_000, leaseTtlMs: hour },
      postgresql: {
        host: 'localhost',
        port: 5432,
        database: 'pac_concurrency',
        username: 'pac_user',
        ssl: { mode: 'disable' },
        maxConnections: 10,
        schema: 'slotkeeper',
        connectionTimeoutMs: 30_000,
        leaseTtlMs: hour,
      },
      memory: { leaseTtlMs: hour / 2 },
      sqlite: { leaseTtlMs: hour / 2 },
      warnings: [],
    })
  })

  test('the documented default of every key, written out, means the same as its absence', () => {
    const written = settingNames.flatMap((name) => {
      const text = settingKey(name).default
      return text === undefined ? [] : [[name, text] as const]
    })
    expect(written.length).toBeGreaterThan(15)
    expect(parseSettings(Object.fromEntries(written))).toStrictEqual(parseSettings({}))
  })
})

describe('the examples of the deployment guide', () => {
  test('PostgreSQL', () => {
    const settings = parseSettings({
      'concurrency-enabled': 'true',
      'concurrency-driver': 'postgresql',
      'postgresql-host': 'your-postgresql-host',
      'postgresql-port': '5433',
      'postgresql-database': 'db',
      'postgresql-username': 'user',
      'postgresql-password': 'your-secure-password',
      'postgresql-ssl-mode': 'require',
      'postgresql-max-connections': '20',
      'postgresql-schema': 'ci',
      'postgresql-connection-timeout': '15s',
      'postgresql-lease-ttl': '2h',
    })
    expect(settings).toMatchObject({ enabled: true, driver: 'postgresql' })
    expect(settings.postgresql).toMatchObject({
      host: 'your-postgresql-host',
      port: 5433,
      database: 'db',
      username: 'user',
      ssl: { mode: 'require' },
      maxConnections: 20,
      schema: 'ci',
      connectionTimeoutMs: 15_000,
      leaseTtlMs: 2 * hour,
    })
    expect(settings.postgresql.password?.reveal()).toBe('your-secure-password')
  })

  test('etcd', () => {
    const settings = parseSettings({
      'concurrency-enabled': 'true',
      'concurrency-driver': 'etcd',
      'etcd-enabled': 'true',
      'etcd-endpoints': 'etcd.example.com:2379',
      'etcd-dial-timeout': '5',
      'etcd-mode': 'etcd',
      'etcd-username': 'etcd_user',
      'etcd-password': 'etcd_password',
      'etcd-cert-file': '/path/to/cert.pem',
      'etcd-key-file': '/path/to/key.pem',
      'etcd-ca-file': '/path/to/ca.pem',
      'etcd-server-name': 'etcd.example.com',
    })
    expect(settings).toMatchObject({ enabled: true, driver: 'etcd' })
    const { password, ...etcd } = settings.etcd
    expect(password?.reveal()).toBe('etcd_password')
    expect(etcd).toStrictEqual({
      endpoints: ['etcd.example.com:2379'],
      dialTimeoutMs: 5_000,
      username: 'etcd_user',
      tls: {
        caFile: '/path/to/ca.pem',
        certFile: '/path/to/cert.pem',
        keyFile: '/path/to/key.pem',
        serverName: 'etcd.example.com',
      },
      leaseTtlMs: hour,
    })
  })

  test('memory', () => {
    const settings = parseSettings({
      'concurrency-enabled': 'true',
      'concurrency-driver': 'memory',
      'memory-lease-ttl': '45m',
    })
    expect(settings).toMatchObject({ enabled: true, driver: 'memory', memory: { leaseTtlMs: 2_700_000 } })
  })
})

describe('values', () => {
  test.each(['true', '1', 'yes', 'on', 'TRUE', 'Yes', 'oN'])('%s is true', (text) => {
    expect(parseSettings({ 'concurrency-enabled': text }).enabled).toBe(true)
  })

  test.each(['false', '0', 'no', 'off', 'FALSE', 'No', 'OFF'])('%s is false', (text) => {
    expect(parseSettings({ 'concurrency-enabled': text }).enabled).toBe(false)
  })

  test.each(['y', 't', '2', 'enabled', 'true false'])('%s is no boolean', (text) => {
    expect(problemsOf(() => parseSettings({ 'concurrency-enabled': text }))).toHaveProperty(
      'concurrency-enabled',
    )
  })

  test.each(['1', '5432', '65535'])('%s is a port', (text) => {
    expect(parseSettings({ 'postgresql-port': text }).postgresql.port).toBe(Number(text))
  })

  test.each(['0', '65536', '-1', '5432.0', '5e3', '0x50', 'http', '5 432', '١'])('%s is no port', (text) => {
    expect(problemsOf(() => parseSettings({ 'postgresql-port': text }))).toHaveProperty('postgresql-port')
  })

  test('a connection pool has 1 to 1000 connections', () => {
    expect(parseSettings({ 'postgresql-max-connections': '1' }).postgresql.maxConnections).toBe(1)
    expect(parseSettings({ 'postgresql-max-connections': '1000' }).postgresql.maxConnections).toBe(1000)
    for (const text of ['0', '1001'])
      expect(problemsOf(() => parseSettings({ 'postgresql-max-connections': text }))).toHaveProperty(
        'postgresql-max-connections',
      )
  })

  test.each(['disable', 'require', 'verify-ca', 'verify-full'])('%s is an SSL mode', (mode) => {
    expect(parseSettings({ 'postgresql-ssl-mode': mode }).postgresql.ssl.mode).toBe(mode)
  })

  test.each(['prefer', 'allow', 'Require', 'true'])(
    '%s is no SSL mode, and the message lists those that are',
    (mode) => {
      const problems = problemsOf(() => parseSettings({ 'postgresql-ssl-mode': mode }))
      expect(problems['postgresql-ssl-mode']).toContain('disable, require, verify-ca, verify-full')
    },
  )

  test('an unknown driver is refused with the list of drivers', () => {
    const problems = problemsOf(() => parseSettings({ 'concurrency-driver': 'postgres' }))
    expect(problems['concurrency-driver']).toBe('"postgres" is not one of etcd, postgresql, memory, sqlite.')
  })

  const durations = settingNames.filter((name) => settingKey(name).kind.expects.startsWith('a duration'))
  test('nine keys are durations', () => expect(durations).toHaveLength(9))

  test.each(durations)('%s refuses garbage, negative, zero and what is beyond its bounds', (name) => {
    for (const text of ['soon', '-5s', '0', '0s', '5 s', '1000000h'])
      expect(problemsOf(() => parseSettings({ [name]: text }))).toHaveProperty(name)
  })

  test('the bounds of a duration are allowed', () => {
    expect(parseSettings({ 'concurrency-holder-ttl': '1s' }).holderTtlMs).toBe(1_000)
    expect(parseSettings({ 'concurrency-holder-ttl': '24h' }).holderTtlMs).toBe(24 * hour)
    for (const text of ['999ms', '86400001ms'])
      expect(problemsOf(() => parseSettings({ 'concurrency-holder-ttl': text }))).toEqual({
        'concurrency-holder-ttl': `"${text}" is not a duration from 1s to 24h.`,
      })
  })

  test('a lease TTL is 24 days at most, because a Manager takes no more', () => {
    expect(parseSettings({ 'etcd-lease-ttl': '576h' }).etcd.leaseTtlMs).toBe(576 * hour)
    expect(problemsOf(() => parseSettings({ 'etcd-lease-ttl': '577h' }))).toHaveProperty('etcd-lease-ttl')
  })

  test('white space around a value does not count, as YAML blocks leave it', () => {
    const settings = parseSettings({ 'concurrency-driver': 'memory\n', 'postgresql-port': ' 5433 ' })
    expect(settings).toMatchObject({ driver: 'memory', postgresql: { port: 5433 } })
  })

  test('white space in a password counts', () => {
    const settings = parseSettings({ 'postgresql-password': ' a b ' })
    expect(settings.postgresql.password?.reveal()).toBe(' a b ')
  })

  test('an empty value is none where a key has no default', () => {
    const empty = [
      'concurrency-driver',
      'etcd-mode',
      'etcd-username',
      'etcd-password',
      'etcd-ca-file',
      'sqlite-path',
    ]
    expect(parseSettings(Object.fromEntries(empty.map((key) => [key, ''])))).toStrictEqual(parseSettings({}))
  })

  test('an empty value is a mistake where a key has a default', () => {
    const data = {
      'postgresql-host': '',
      'postgresql-port': ' ',
      'memory-lease-ttl': '',
      'concurrency-enabled': '',
    }
    expect(Object.keys(problemsOf(() => parseSettings(data))).sort()).toEqual(Object.keys(data).sort())
  })

  test.each([
    'db',
    'db-0.db.svc.cluster.local',
    '10.0.0.1',
    '::1',
    'fe80::1%eth0',
    '/var/run/postgresql',
    'my_db',
  ])('%s is a host', (host) => {
    expect(parseSettings({ 'postgresql-host': host }).postgresql.host).toBe(host)
  })

  test.each(['db:5432', 'postgres://db', 'db/name', 'a b', 'host=db', '[::1]'])('%s is no host', (host) => {
    expect(problemsOf(() => parseSettings({ 'postgresql-host': host }))).toHaveProperty('postgresql-host')
  })

  test('control characters in a name are refused, because protocols end text at them', () => {
    const data = { 'postgresql-username': 'a\0b', 'postgresql-database': 'a\nb', 'sqlite-path': 'a\u007Fb' }
    expect(Object.keys(problemsOf(() => parseSettings(data))).sort()).toEqual(Object.keys(data).sort())
  })
})

describe('problems', () => {
  test('all wrong values are told at once, by key, in one message', () => {
    const error = invalidConfig(() =>
      parseSettings({
        'concurrency-enabled': 'perhaps',
        'concurrency-holder-ttl': '-1s',
        'etcd-dial-timeout': 'soon',
        'postgresql-port': '0',
        'postgresql-ssl-mode': 'prefer',
        'memory-lease-ttl': '0',
        'sqlite-pth': 'slots.db',
      }),
    )
    const keys = error.problems.map((problem) => problem.key)
    expect(keys.sort()).toEqual([
      'concurrency-enabled',
      'concurrency-holder-ttl',
      'etcd-dial-timeout',
      'memory-lease-ttl',
      'postgresql-port',
      'postgresql-ssl-mode',
      'sqlite-pth',
    ])
    for (const { key, message } of error.problems) expect(error.message).toContain(`${key}: ${message}`)
  })

  test('a malformed value is wrong whichever driver is selected, and also while concurrency is disabled', () => {
    const data = { 'concurrency-enabled': 'false', 'concurrency-driver': 'memory', 'etcd-dial-timeout': 'x' }
    expect(Object.keys(problemsOf(() => parseSettings(data)))).toEqual(['etcd-dial-timeout'])
  })

  test.each([
    ['etcd-endpoint', 'etcd-endpoints'],
    ['postgresql-pasword', 'postgresql-password'],
    ['postgresql-user', 'postgresql-username'],
    ['postgresql-sslmode', 'postgresql-ssl-mode'],
    ['memory-lease-tll', 'memory-lease-ttl'],
    ['sqlite-file', 'sqlite-path'],
    ['concurrency-enable', 'concurrency-enabled'],
    ['concurrency-dirver', 'concurrency-driver'],
    ['Etcd-Endpoints', 'etcd-endpoints'],
    ['POSTGRESQL-PORT', 'postgresql-port'],
  ])('%s is unknown, and the nearest known key is named', (key, nearest) => {
    expect(problemsOf(() => parseSettings({ [key]: 'x' }))).toEqual({
      [key]: `there is no such key. Did you mean ${nearest}?`,
    })
  })

  test('keys of other programs are ignored, whatever they hold', () => {
    const foreign = {
      'application-name': 'CI',
      'remote-tasks': 'true',
      etcd: 'x',
      'etcdctl-api': '3',
      '': '',
      '-': '',
    }
    expect(parse({ ...foreign, 'max-keep-run-upper-limit': 5, toString: null })).toStrictEqual(
      parseSettings({}),
    )
  })

  test('a value that is not text is refused with the way to quote it', () => {
    const data = {
      'postgresql-port': 5432,
      'concurrency-enabled': true,
      'sqlite-path': null,
      'etcd-endpoints': ['a:1'],
    }
    const problems = problemsOf(() => parse(data))
    expect(problems['postgresql-port']).toContain('Quote it: postgresql-port: "5432"')
    expect(problems['concurrency-enabled']).toContain('Quote it: concurrency-enabled: "true"')
    expect(problems['sqlite-path']).toBe('the value is null, not text.')
    expect(Object.keys(problems).sort()).toEqual(Object.keys(data).sort())
  })

  test('a long value is cut, and its control characters are escaped, before it reaches a log', () => {
    const text = `a\u001b[31m\n${'x'.repeat(500)}`
    const problem = problemsOf(() => parseSettings({ 'concurrency-driver': text }))['concurrency-driver']
    expect(problem).toContain('"a\\u001b[31m\\n')
    expect(problem).toContain('x…"')
    expect(problem?.length).toBeLessThan(150)
  })

  test('keys that an object inherits are not read', () => {
    expect(parse(Object.create({ 'concurrency-enabled': 'true' })).enabled).toBe(false)
    expect(parse(JSON.parse('{"__proto__": {"concurrency-enabled": "true"}}')).enabled).toBe(false)
  })

  test.each([
    undefined,
    null,
    'concurrency-enabled: true',
    [],
    new Map([['concurrency-enabled', 'true']]),
    { kind: 'ConfigMap', data: { 'concurrency-enabled': 'true' } },
  ])('%o is no data, rather than all defaults', (data) => {
    let error: unknown
    try {
      parse(data)
    } catch (thrown) {
      error = thrown
    }
    expect(isSlotkeeperError(error, 'SLOTKEEPER_INVALID_ARGUMENT')).toBe(true)
  })
})

test('settings are frozen, all the way down', () => {
  const settings = parseSettings({ 'etcd-ca-file': '/ca.pem', 'postgresql-password': 'x' })
  const parts = [
    settings,
    settings.etcd,
    settings.etcd.endpoints,
    settings.etcd.tls,
    settings.postgresql,
    settings.postgresql.ssl,
    settings.memory,
    settings.sqlite,
    settings.warnings,
    settings.warnings[0],
  ]
  for (const part of parts) expect(part !== undefined && Object.isFrozen(part)).toBe(true)
})

test('the reference of the configuration has every key, with a sentence, and marks the secrets', () => {
  const references = settingReferences()
  expect(references.map(({ key }) => key)).toEqual([...settingNames])
  for (const reference of references) expect(reference.meaning).toMatch(/^.{10,}\.$/)
  expect(references.filter(({ secret }) => secret).map(({ key }) => key)).toEqual([
    'etcd-password',
    'postgresql-password',
  ])
  expect(references.find(({ key }) => key === 'etcd-dial-timeout')).toEqual({
    key: 'etcd-dial-timeout',
    section: 'etcd',
    default: '5s',
    expects: 'a duration from 1ms to 24h',
    meaning: 'How long a connection may take to come about.',
    environment: 'ETCD_DIAL_TIMEOUT',
    secret: false,
  })
})
