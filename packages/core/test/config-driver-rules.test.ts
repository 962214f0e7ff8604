import { describe, expect, test } from 'vitest'
import { parseSettings } from '../src/config/parse-settings.ts'
import { problemsOf } from './config-problems.ts'

describe('selection of the driver', () => {
  test.each([
    [{}, 'memory'],
    [{ 'etcd-enabled': 'true' }, 'etcd'],
    [{ 'etcd-enabled': '1', 'etcd-mode': 'etcd' }, 'etcd'],
    [{ 'etcd-enabled': 'true', 'etcd-mode': 'mock' }, 'memory'],
    [{ 'etcd-enabled': 'true', 'etcd-mode': 'memory' }, 'memory'],
    [{ 'concurrency-driver': 'etcd' }, 'etcd'],
    [{ 'concurrency-driver': 'etcd', 'etcd-enabled': 'false' }, 'etcd'],
    [{ 'concurrency-driver': 'etcd', 'etcd-mode': 'mock' }, 'memory'],
    [{ 'concurrency-driver': 'postgresql', 'etcd-enabled': 'true' }, 'postgresql'],
    [{ 'concurrency-driver': 'postgresql', 'etcd-enabled': 'true', 'etcd-mode': 'mock' }, 'postgresql'],
    [{ 'concurrency-driver': 'memory', 'etcd-enabled': 'true' }, 'memory'],
    [{ 'concurrency-driver': 'sqlite', 'sqlite-path': 'slots.db' }, 'sqlite'],
    [{ 'concurrency-driver': '', 'etcd-enabled': 'true' }, 'etcd'],
  ])('%j selects %s', (data, driver) => {
    expect(parseSettings(data as Record<string, string>).driver).toBe(driver)
  })

  test('etcd-enabled selects a driver and does not enable concurrency', () => {
    expect(parseSettings({ 'etcd-enabled': 'true' }).enabled).toBe(false)
  })
})

describe('keys that go together', () => {
  test.each([
    ['etcd', 'etcd-username', 'etcd-password'],
    ['etcd', 'etcd-password', 'etcd-username'],
    ['etcd', 'etcd-cert-file', 'etcd-key-file'],
    ['etcd', 'etcd-key-file', 'etcd-cert-file'],
    ['postgresql', 'postgresql-ssl-cert', 'postgresql-ssl-key'],
    ['postgresql', 'postgresql-ssl-key', 'postgresql-ssl-cert'],
  ])('with the %s driver, %s needs %s', (driver, one, other) => {
    const half = { 'concurrency-driver': driver, [one]: 'x' }
    expect(problemsOf(() => parseSettings(half))[one]).toContain(other)
    expect(parseSettings({ ...half, [other]: 'y' }).driver).toBe(driver)
  })

  test('a driver that is not selected may be half configured', () => {
    const data = {
      'concurrency-driver': 'memory',
      'etcd-username': 'x',
      'etcd-endpoints': '',
      'postgresql-ssl-key': '/k',
    }
    expect(parseSettings(data).etcd).toMatchObject({ username: 'x', endpoints: [] })
  })

  test('a wrong half does not count as a missing one', () => {
    const data = { 'concurrency-driver': 'etcd', 'etcd-username': 'a\nb', 'etcd-password': 'x' }
    expect(Object.keys(problemsOf(() => parseSettings(data)))).toEqual(['etcd-username'])
  })

  test('while the driver is in doubt, nothing is said about the keys of one', () => {
    const data = { 'concurrency-driver': 'etdc', 'etcd-enabled': 'true', 'etcd-endpoints': '' }
    expect(Object.keys(problemsOf(() => parseSettings(data)))).toEqual(['concurrency-driver'])
  })
})

describe('SQLite', () => {
  test.each([{}, { 'sqlite-path': '' }, { 'sqlite-path': '  ' }])('needs sqlite-path: %j', (path) => {
    const problems = problemsOf(() => parseSettings({ 'concurrency-driver': 'sqlite', ...path }))
    expect(problems).toHaveProperty('sqlite-path')
  })

  test('keeps the path and its own lease TTL', () => {
    const data = { 'concurrency-driver': 'sqlite', 'sqlite-path': '/var/slots.db', 'sqlite-lease-ttl': '2h' }
    expect(parseSettings(data).sqlite).toEqual({ path: '/var/slots.db', leaseTtlMs: 7_200_000 })
  })
})

describe('etcd endpoints', () => {
  const endpointsOf = (text: string) => parseSettings({ 'etcd-endpoints': text }).etcd.endpoints

  test.each([
    ['localhost:2379', ['localhost:2379']],
    [' a:1 ,b:2,\n c:3 ', ['a:1', 'b:2', 'c:3']],
    ['a:1,b:2,', ['a:1', 'b:2']],
    ['http://a:2379,http://b:2379/', ['http://a:2379', 'http://b:2379']],
    ['HTTPS://etcd.example.com', ['https://etcd.example.com']],
    ['[::1]:2379', ['[::1]:2379']],
    ['etcd_0:80', ['etcd_0:80']],
  ])('%j is the list %j', (text, endpoints) => {
    expect(endpointsOf(text)).toEqual(endpoints)
  })

  test.each([
    'etcd',
    'etcd:',
    'http://etcd:',
    ':2379',
    'etcd:0',
    'etcd:65536',
    'etcd:x',
    'a b:1',
    'ftp://etcd:2379',
    'http://etcd:2379/v3',
    'http://etcd:2379?x',
    'user:pass@etcd:2379',
    'a:1;b:2',
    'a:1,http://',
  ])('%j is refused', (text) => {
    expect(problemsOf(() => endpointsOf(text))).toHaveProperty('etcd-endpoints')
  })

  test.each(['', ' ', ',', ' , '])(
    'an empty list (%j) is wrong when the driver is etcd, and only then',
    (text) => {
      const data = { 'concurrency-driver': 'etcd', 'etcd-endpoints': text }
      expect(problemsOf(() => parseSettings(data))).toHaveProperty('etcd-endpoints')
      expect(endpointsOf(text)).toEqual([])
    },
  )

  test.each([
    [{ 'etcd-endpoints': 'http://a:1', 'etcd-ca-file': '/ca.pem' }],
    [{ 'etcd-endpoints': 'https://a:1,http://b:1' }],
  ])('an unencrypted endpoint beside TLS settings is refused: %j', (data) => {
    const problems = problemsOf(() =>
      parseSettings({ 'concurrency-driver': 'etcd', ...data } as Record<string, string>),
    )
    expect(problems['etcd-endpoints']).toContain('not encrypted')
  })

  test.each([
    [{}, undefined],
    [{ 'etcd-endpoints': 'http://a:1' }, undefined],
    [{ 'etcd-endpoints': 'https://a:1' }, {}],
    [{ 'etcd-ca-file': '/ca.pem' }, { caFile: '/ca.pem' }],
    [{ 'etcd-server-name': 'etcd' }, { serverName: 'etcd' }],
  ])('TLS is used exactly when something asks for it: %j', (data, tls) => {
    expect(parseSettings(data as Record<string, string>).etcd.tls).toEqual(tls)
  })
})
