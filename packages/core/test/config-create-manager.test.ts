import { beforeEach, describe, expect, test, vi } from 'vitest'
import { type CreateManagerOptions, createManager } from '../src/config/create-manager.ts'
import { parseEnvironment } from '../src/config/parse-environment.ts'
import { parseSettings } from '../src/config/parse-settings.ts'
import type { Secret } from '../src/config/secret.ts'
import type { Settings } from '../src/config/settings.ts'
import { isSlotkeeperError, SlotkeeperError } from '../src/errors.ts'
import type { Logger } from '../src/logger.ts'

/** The options of every Manager made, instead of Managers: what they do with them is tested elsewhere. */
const managers = vi.hoisted(() => [] as Record<string, unknown>[])
vi.mock('../src/manager.ts', () => ({
  Manager: class {
    constructor(options: Record<string, unknown>) {
      managers.push(options)
    }
  },
}))
beforeEach(() => void managers.splice(0))

const drivers = [
  ['etcd', '@slotkeeper/driver-etcd', 'etcdDriver'],
  ['postgresql', '@slotkeeper/driver-postgres', 'postgresDriver'],
  ['sqlite', '@slotkeeper/driver-sqlite', 'sqliteDriver'],
  ['memory', '@slotkeeper/driver-memory', 'memoryDriver'],
] as const

function settingsFor(driver: string, more: Record<string, string> = {}): Settings {
  return parseSettings({
    'concurrency-enabled': 'true',
    'concurrency-driver': driver,
    'sqlite-path': 'slots.db',
    ...more,
  })
}

/** Packages whose drivers are the options that they were made of. */
function fakePackages(): { load: (specifier: string) => Promise<unknown>; loaded: string[] } {
  const loaded: string[] = []
  const load = async (specifier: string) => {
    loaded.push(specifier)
    return Object.fromEntries(
      drivers.map(([, from, factory]) => [factory, (options: object) => ({ from, factory, options })]),
    )
  }
  return { load, loaded }
}

async function driverOptionsOf(settings: Settings, options: CreateManagerOptions = {}): Promise<unknown> {
  await createManager(settings, { env: {}, load: fakePackages().load, ...options })
  return (managers.at(-1) as { driver: { options: unknown } }).driver.options
}

async function failureOf(made: Promise<unknown>): Promise<SlotkeeperError> {
  const error = await made.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(managers).toEqual([])
  if (isSlotkeeperError(error)) return error
  throw error ?? new Error('a Manager was made')
}

/** As Node.js fails to import. */
function notFound(message: string, code = 'ERR_MODULE_NOT_FOUND'): Error {
  return Object.assign(new Error(message), { code })
}

describe('the driver', () => {
  test.each(drivers)('%s is made by %s and its %s', async (driver, specifier, factory) => {
    const { load, loaded } = fakePackages()
    await createManager(settingsFor(driver), { load })
    expect(loaded).toEqual([specifier])
    expect(managers[0]?.driver).toMatchObject({ factory })
  })

  test('etcd-mode mock loads the memory driver', async () => {
    const { load, loaded } = fakePackages()
    await createManager(parseEnvironment({ PAC_ETCD_ENABLED: 'true', PAC_ETCD_MODE: 'mock' }), { load })
    expect(loaded).toEqual(['@slotkeeper/driver-memory'])
  })

  test('gets its section of the settings, without the lease TTL, which the Manager gets', async () => {
    expect(await driverOptionsOf(settingsFor('memory', { 'memory-lease-ttl': '7m' }))).toStrictEqual({})
    expect(managers.at(-1)).toMatchObject({ leaseTtlMs: 420_000 })
    expect(await driverOptionsOf(settingsFor('sqlite', { 'sqlite-lease-ttl': '8m' }))).toStrictEqual({
      path: 'slots.db',
    })
    expect(managers.at(-1)).toMatchObject({ leaseTtlMs: 480_000 })
    expect(await driverOptionsOf(settingsFor('etcd', { 'etcd-lease-ttl': '9m' }))).toStrictEqual({
      endpoints: ['localhost:2379'],
      dialTimeoutMs: 5_000,
    })
    expect(managers.at(-1)).toMatchObject({ leaseTtlMs: 540_000 })
    const file = { 'postgresql-password-file': '/run/secrets/pg', 'postgresql-ssl-root-cert': '/ca.pem' }
    const settings = settingsFor('postgresql', { ...file, 'postgresql-ssl-mode': 'verify-full' })
    expect(await driverOptionsOf(settings)).toStrictEqual({
      host: 'localhost',
      port: 5432,
      database: 'pac_concurrency',
      username: 'pac_user',
      passwordFile: '/run/secrets/pg',
      ssl: { mode: 'verify-full', rootCert: '/ca.pem' },
      maxConnections: 10,
      schema: 'slotkeeper',
      connectionTimeoutMs: 30_000,
    })
    expect(managers.at(-1)).toMatchObject({ leaseTtlMs: 3_600_000 })
  })

  test('PGPASSWORD is the password where the settings have none', async () => {
    const env = { PGPASSWORD: 'from-environment' }
    const passwordOf = async (more: Record<string, string>) => {
      const options = await driverOptionsOf(settingsFor('postgresql', more), { env })
      return (options as { password?: Secret }).password?.reveal()
    }
    expect(await passwordOf({})).toBe('from-environment')
    expect(await passwordOf({ 'postgresql-password': 'from-settings' })).toBe('from-settings')
    expect(await passwordOf({ 'postgresql-password-file': '/run/secrets/pg' })).toBeUndefined()
    expect(JSON.stringify(await driverOptionsOf(settingsFor('postgresql'), { env }))).not.toContain(
      'from-environment',
    )
    expect(await driverOptionsOf(settingsFor('sqlite'), { env })).toStrictEqual({ path: 'slots.db' })
  })
})

describe('the Manager', () => {
  test('gets the times of the settings and whatever settings cannot say', async () => {
    const times = {
      'concurrency-holder-ttl': '20s',
      'concurrency-claim-timeout': '50s',
      'concurrency-call-timeout': '3s',
    }
    const metrics = { count() {}, observe() {}, gauge() {} }
    const { load } = fakePackages()
    await createManager(settingsFor('memory', times), { load, label: 'ci', metrics, recordTtlMs: 5 })
    expect(managers[0]).toEqual({
      driver: expect.anything(),
      holderTtlMs: 20_000,
      claimTimeoutMs: 50_000,
      callTimeoutMs: 3_000,
      leaseTtlMs: 1_800_000,
      label: 'ci',
      metrics,
      recordTtlMs: 5,
    })
  })

  test('is not made while concurrency is disabled, and the error tells of the annotations', async () => {
    const { load, loaded } = fakePackages()
    const error = await failureOf(createManager(parseSettings({}), { load }))
    expect(error.code).toBe('SLOTKEEPER_CONCURRENCY_DISABLED')
    expect(error.message).toContain('annotations')
    expect(error.message).toContain('concurrency-enabled: "true"')
    expect(loaded).toEqual([])
  })

  test('is not made of a ConfigMap’s data that nobody parsed', async () => {
    const data = { 'concurrency-enabled': 'true' } as unknown as Settings
    expect((await failureOf(createManager(data))).code).toBe('SLOTKEEPER_INVALID_ARGUMENT')
    expect((await failureOf(createManager(undefined as unknown as Settings))).code).toBe(
      'SLOTKEEPER_INVALID_ARGUMENT',
    )
  })
})

describe('the logger', () => {
  function recorder() {
    const lines: [level: string, fields: object, message: string][] = []
    const at = (level: string) => (fields: object, message: string) =>
      void lines.push([level, fields, message])
    const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
    return { logger, lines }
  }

  test('gets every warning of the settings, by key, without the password', async () => {
    const { logger, lines } = recorder()
    const settings = settingsFor('etcd', { 'etcd-mode': 'mock', 'postgresql-password': 'canary-71f3' })
    await createManager(settings, { load: fakePackages().load, logger })
    expect(lines.map(([level, fields]) => [level, fields])).toEqual([
      ['warn', { event: 'config-warning', key: 'etcd-mode' }],
      ['warn', { event: 'config-warning', key: 'postgresql-password' }],
    ])
    expect(JSON.stringify(lines)).not.toContain('canary-71f3')
  })

  test.each([
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
  ])('at concurrency-log-level %s gets %j', async (level, expected) => {
    const { logger, lines } = recorder()
    await createManager(settingsFor('memory', { 'concurrency-log-level': level }), {
      load: fakePackages().load,
      logger,
    })
    const inner = managers[0]?.logger as Logger
    for (const each of ['debug', 'info', 'warn', 'error'] as const) inner[each]({ each }, 'said')
    expect(lines).toEqual(expected.map((each) => [each, { each }, 'said']))
  })
})

describe('a package that cannot be loaded', () => {
  test.each(drivers)(
    '%s: when it is absent, the error has the command that installs it',
    async (driver, specifier) => {
      const cause = notFound(
        `Cannot find package '${specifier}' imported from /app/node_modules/@slotkeeper/core/dist/node.js`,
      )
      const error = await failureOf(createManager(settingsFor(driver), { load: () => Promise.reject(cause) }))
      expect(error.code).toBe('SLOTKEEPER_DRIVER_NOT_INSTALLED')
      expect(error.message).toMatch(new RegExp(`npm install ${specifier}$`))
      expect(error.cause).toBe(cause)
    },
  )

  test.each([
    [
      'something that it needs is absent',
      notFound(
        "Cannot find package 'pg' imported from /app/node_modules/@slotkeeper/driver-postgres/dist/index.js",
      ),
    ],
    [
      'a file of it is absent',
      notFound(
        "Cannot find package '/app/node_modules/@slotkeeper/driver-postgres/dist/index.js' imported from /app/x.js",
      ),
    ],
    [
      'a longer name is absent',
      notFound("Cannot find package '@slotkeeper/driver-postgres-tls' imported from /app/x.js"),
    ],
    ['its code throws', new TypeError("Cannot find package '@slotkeeper/driver-postgres'")],
    ['its code throws no Error', 'a text'],
  ])('when %s, it is not called absent, and the cause is kept', async (_, cause) => {
    const error = await failureOf(
      createManager(settingsFor('postgresql'), { load: () => Promise.reject(cause) }),
    )
    expect(error.code).toBe('SLOTKEEPER_DRIVER_UNUSABLE')
    expect(error.message).not.toContain('npm install')
    expect(error.cause).toBe(cause)
  })

  test('an error of Slotkeeper passes as it is', async () => {
    const cause = new SlotkeeperError('SLOTKEEPER_UNSUPPORTED_RUNTIME', 'Node.js 18 is too old.')
    expect(await failureOf(createManager(settingsFor('sqlite'), { load: () => Promise.reject(cause) }))).toBe(
      cause,
    )
  })

  test.each([{}, { memoryDriver: 'no function' }, undefined])(
    'without its factory (%j) it does not fit',
    async (exports) => {
      const error = await failureOf(createManager(settingsFor('memory'), { load: async () => exports }))
      expect(error.code).toBe('SLOTKEEPER_DRIVER_UNUSABLE')
      expect(error.message).toContain('memoryDriver')
    },
  )
})
