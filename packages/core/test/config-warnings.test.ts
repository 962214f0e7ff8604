import { expect, test } from 'vitest'
import { parseSettings } from '../src/config/parse-settings.ts'

const keysOf = (data: Record<string, string>) => parseSettings(data).warnings.map(({ key }) => key)
const postgresql = { 'concurrency-driver': 'postgresql' }

test('a password in the ConfigMap works, with a warning that says what is better', () => {
  const { warnings, postgresql: section } = parseSettings({ 'postgresql-password': 'x' })
  expect(section.password?.reveal()).toBe('x')
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toMatchObject({ key: 'postgresql-password' })
  expect(warnings[0]?.message).toContain('postgresql-password-file')
  expect(keysOf({ 'etcd-password': 'x' })).toEqual(['etcd-password'])
})

test('a password file needs no warning', () => {
  expect(keysOf({ ...postgresql, 'postgresql-password-file': '/run/secrets/pg' })).toEqual([])
})

test('of two passwords the file is used, and the other has a warning', () => {
  const { warnings } = parseSettings({
    'postgresql-password': 'x',
    'postgresql-password-file': '/run/secrets/pg',
  })
  expect(warnings.map(({ message }) => message).join()).toContain('postgresql-password-file goes before it')
})

test('a password that ends with a line break has a warning', () => {
  const { warnings } = parseSettings({ 'postgresql-password': 'x\n' })
  expect(warnings.map(({ message }) => message).join()).toContain('line break')
})

test.each(['mock', 'memory'])('etcd-mode %s is said loudly where it takes effect', (mode) => {
  const data = { 'concurrency-enabled': 'true', 'etcd-enabled': 'true', 'etcd-mode': mode }
  const { warnings } = parseSettings(data)
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toMatchObject({ key: 'etcd-mode' })
  expect(warnings[0]?.message).toContain('NOT used')
  expect(keysOf({ ...data, 'etcd-enabled': 'false' })).toEqual([])
})

test('etcd-enabled has a warning where it alone cannot do what it says', () => {
  expect(keysOf({ 'etcd-enabled': 'true' })).toEqual(['etcd-enabled'])
  expect(keysOf({ 'etcd-enabled': 'true', 'concurrency-enabled': 'true' })).toEqual([])
  expect(keysOf({ 'etcd-enabled': 'true', 'concurrency-enabled': 'false' })).toEqual([])
  expect(keysOf({ ...postgresql, 'etcd-enabled': 'true', 'concurrency-enabled': 'true' })).toEqual([
    'etcd-enabled',
  ])
})

test('certificates that are not used have a warning, because nothing is encrypted or verified', () => {
  const root = { ...postgresql, 'postgresql-ssl-root-cert': '/ca.pem' }
  expect(keysOf(root)).toEqual(['postgresql-ssl-root-cert'])
  expect(keysOf({ ...root, 'postgresql-ssl-mode': 'require' })).toEqual(['postgresql-ssl-root-cert'])
  expect(keysOf({ ...root, 'postgresql-ssl-mode': 'verify-ca' })).toEqual([])
  expect(keysOf({ ...root, 'postgresql-ssl-mode': 'verify-full' })).toEqual([])
})
