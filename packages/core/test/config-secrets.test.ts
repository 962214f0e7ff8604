import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parseEnvironment } from '../src/config/parse-environment.ts'
import { parseSettings } from '../src/config/parse-settings.ts'
import { Secret } from '../src/config/secret.ts'
import { invalidConfig } from './config-problems.ts'

const canary = 'canary-71f3'

/** Everything that a log, a dashboard or a crash might print. */
function printed(value: unknown): string {
  const seen = [
    String(value),
    `${inspect(value, { depth: 20, showHidden: true, getters: true })}`,
    JSON.stringify(value),
    JSON.stringify(Object.entries(Object(value))),
  ]
  if (value instanceof Error) seen.push(value.message, value.stack ?? '', JSON.stringify({ ...value }))
  return seen.join('\n')
}

const passwords = {
  'etcd-username': 'u',
  'etcd-password': canary,
  'postgresql-password': canary,
  'postgresql-password-file': '/secret/password',
}

describe('a secret', () => {
  const secret = new Secret(canary)

  test('is told to who asks', () => expect(secret.reveal()).toBe(canary))

  test('is shown to nobody else', () => {
    expect(`${secret}`).toBe('[secret]')
    expect(JSON.stringify({ secret })).toBe('{"secret":"[secret]"}')
    expect(inspect({ secret })).toBe('{ secret: [secret] }')
    expect(Object.keys(secret)).toEqual([])
    expect(printed(secret) + printed({ deep: [{ secret }] })).not.toContain(canary)
  })
})

describe('passwords never appear', () => {
  test('in settings, whatever prints them', () => {
    const settings = parseSettings(passwords)
    expect(settings.postgresql.password?.reveal()).toBe(canary)
    expect(settings.etcd.password?.reveal()).toBe(canary)
    expect(printed(settings)).not.toContain(canary)
    expect(printed(parseEnvironment({ ETCD_PASSWORD: canary }))).not.toContain(canary)
  })

  test('in warnings', () => {
    const settings = parseSettings({
      ...passwords,
      'postgresql-password': `${canary}\n`,
      'etcd-password': `${canary}\n`,
    })
    expect(settings.warnings.length).toBeGreaterThan(3)
    expect(printed(settings.warnings)).not.toContain(canary)
  })

  test.each([
    ['beside wrong values', { ...passwords, 'postgresql-port': 'x', 'etcd-dial-timeout': 'x' }],
    ['that are not text', { 'postgresql-password': [canary], 'etcd-password': { canary } }],
    [
      'that hold what no store takes',
      { 'postgresql-password': `${canary}\0`, 'etcd-password': `\0${canary}` },
    ],
    ['under a misspelt key', { 'postgresql-pasword': canary, 'etcd-passwd': canary }],
    ['without their user', { 'concurrency-driver': 'etcd', 'etcd-password': canary }],
    ['in an endpoint', { 'etcd-endpoints': `https://root:${canary}@etcd:2379` }],
    ['in an endpoint, with signs that end one', { 'etcd-endpoints': `https://root:a@${canary}/@etcd:2379` }],
    ['in a connection string where the host belongs', { 'postgresql-host': `postgres://u:${canary}@db/x` }],
    ['in another kind of connection string', { 'postgresql-host': `host=db password=${canary}` }],
    [
      'in a connection string where a driver belongs',
      { 'concurrency-driver': `postgres://u:${canary}@db/x` },
    ],
  ])('in the error about passwords %s', (_, data) => {
    const error = invalidConfig(() => parseSettings(data as unknown as Record<string, string>))
    expect(error.problems.length).toBeGreaterThan(0)
    expect(printed(error)).not.toContain(canary)
    expect(printed(error.problems)).not.toContain(canary)
  })

  test('in the error about a number that should be a password', () => {
    const error = invalidConfig(() =>
      parseSettings({ 'postgresql-password': 71_371_371 } as unknown as Record<string, string>),
    )
    expect(error.message).toContain('Quote it: postgresql-password: "…"')
    expect(printed(error)).not.toContain('71371371')
  })

  test('in errors about the environment', () => {
    const error = invalidConfig(() =>
      parseEnvironment({
        PAC_ETCD_ENABLED: 'true',
        ETCD_PASSWORD: canary,
        ETCD_ENDPOINTS: `u:${canary}@h:1`,
      }),
    )
    expect(error.problems.length).toBe(2)
    expect(printed(error)).not.toContain(canary)
  })
})
