import { expect, test } from 'vitest'
import { parseEnvironment } from '../src/config/parse-environment.ts'
import { parseSettings } from '../src/config/parse-settings.ts'
import { problemsOf } from './config-problems.ts'

test('without any variable, concurrency is disabled and everything has its default', () => {
  expect(parseEnvironment({})).toStrictEqual(parseSettings({}))
})

test('the variables of the etcd integration are all read', () => {
  const settings = parseEnvironment({
    PAC_ETCD_ENABLED: 'true',
    PAC_ETCD_MODE: 'etcd',
    ETCD_ENDPOINTS: 'localhost:2379,localhost:2380',
    ETCD_DIAL_TIMEOUT: '7',
    ETCD_USERNAME: 'user',
    ETCD_PASSWORD: 'pass',
    ETCD_CERT_FILE: '/path/to/cert.pem',
    ETCD_KEY_FILE: '/path/to/key.pem',
    ETCD_CA_FILE: '/path/to/ca.pem',
    ETCD_SERVER_NAME: 'etcd.example.com',
  })
  expect(settings).toMatchObject({ enabled: true, driver: 'etcd', warnings: [] })
  const { password, ...etcd } = settings.etcd
  expect(password?.reveal()).toBe('pass')
  expect(etcd).toEqual({
    endpoints: ['localhost:2379', 'localhost:2380'],
    dialTimeoutMs: 7_000,
    username: 'user',
    tls: {
      certFile: '/path/to/cert.pem',
      keyFile: '/path/to/key.pem',
      caFile: '/path/to/ca.pem',
      serverName: 'etcd.example.com',
    },
    leaseTtlMs: 3_600_000,
  })
})

test.each([
  [{ PAC_ETCD_ENABLED: 'true' }, true, 'etcd'],
  [{ PAC_ETCD_ENABLED: '1' }, true, 'etcd'],
  [{ PAC_ETCD_ENABLED: 'false' }, false, 'memory'],
  [{ PAC_ETCD_ENABLED: 'true', PAC_ETCD_MODE: 'mock' }, true, 'memory'],
  [{ PAC_ETCD_MODE: 'etcd' }, false, 'memory'],
])('%j: PAC_ETCD_ENABLED enables concurrency as well as etcd', (env, enabled, driver) => {
  expect(parseEnvironment(env)).toMatchObject({ enabled, driver })
})

test('a variable that is undefined is absent', () => {
  const env = { PAC_ETCD_ENABLED: undefined, ETCD_ENDPOINTS: undefined, ETCD_PASSWORD: undefined }
  expect(parseEnvironment(env)).toStrictEqual(parseSettings({}))
})

test.each([undefined, null, 'PAC_ETCD_ENABLED=true'])('%j is no environment', (env) => {
  expect(() => parseEnvironment(env as unknown as Record<string, string>)).toThrow('process.env')
})

test('problems are told at once, each once, by the name of the variable', () => {
  const problems = problemsOf(() =>
    parseEnvironment({
      PAC_ETCD_ENABLED: 'maybe',
      PAC_ETCD_MODE: 'real',
      ETCD_ENDPOINTS: 'etcd',
      ETCD_DIAL_TIMEOUT: '5 seconds',
    }),
  )
  expect(Object.keys(problems).sort()).toEqual([
    'ETCD_DIAL_TIMEOUT',
    'ETCD_ENDPOINTS',
    'PAC_ETCD_ENABLED',
    'PAC_ETCD_MODE',
  ])
})

test('rules between variables name variables', () => {
  const problems = problemsOf(() =>
    parseEnvironment({
      PAC_ETCD_ENABLED: 'true',
      ETCD_USERNAME: 'u',
      ETCD_KEY_FILE: '/k',
      ETCD_ENDPOINTS: '',
    }),
  )
  expect(problems.ETCD_USERNAME).toContain('ETCD_PASSWORD')
  expect(problems.ETCD_KEY_FILE).toContain('ETCD_CERT_FILE')
  expect(problems).toHaveProperty('ETCD_ENDPOINTS')
  expect(Object.keys(problems)).toHaveLength(3)
})

test('while disabled, half a configuration of etcd is dormant', () => {
  expect(parseEnvironment({ PAC_ETCD_ENABLED: 'false', ETCD_USERNAME: 'u' }).enabled).toBe(false)
})

test('variables of etcd itself, of Kubernetes services and of PostgreSQL are ignored', () => {
  const env = {
    ETCD_DATA_DIR: '/data',
    ETCD_PORT: 'tcp://10.0.0.1:2379',
    PAC_ETCD_SERVICE_HOST: '10.0.0.1',
    PGPASSWORD: 'x',
    'etcd-endpoints': 'x',
    'concurrency-enabled': 'true',
  }
  expect(parseEnvironment(env)).toStrictEqual(parseSettings({}))
})

test('a password in the environment deserves no warning; the memory driver in etcd’s place does, by its variable', () => {
  const env = { PAC_ETCD_ENABLED: 'true', ETCD_USERNAME: 'u', ETCD_PASSWORD: 'p' }
  expect(parseEnvironment(env).warnings).toEqual([])
  expect(parseEnvironment({ ...env, PAC_ETCD_MODE: 'mock' }).warnings.map(({ key }) => key)).toEqual([
    'PAC_ETCD_MODE',
  ])
})
