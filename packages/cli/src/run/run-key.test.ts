import type { RepositoryKey } from '@slotkeeper/core'
import { repository } from '@slotkeeper/core'
import { expect, test } from 'vitest'
import { ownRunKey } from './run-key.ts'

test('an own run key is in the namespace of the repository, and never the same twice', () => {
  const keys = Array.from({ length: 100 }, () => ownRunKey('acme/api', '/usr/bin/make'))
  expect(new Set(keys).size).toBe(100)
  for (const key of keys) expect(key).toMatch(new RegExp(`^acme/make-.+-${process.pid}-[0-9a-f]{6}$`))
})

test('whatever the command and the namespace are called, the key is one', () => {
  for (const namespace of ['n'.repeat(495), 'é'.repeat(240), 'n'])
    for (const command of ['/a/b c\n', '\u{1F600}'.repeat(50), '\ud800', '..', '/'])
      expect(() => repository(ownRunKey(`${namespace}/x` as RepositoryKey, command))).not.toThrow()
})
