import type { HolderId } from '@slotkeeper/core/driver'
import { expect, test } from 'vitest'
import { rowOf, rowText } from './row-text.ts'

test('a row in a key of its own comes back as it was, and usual values are not written', () => {
  const plain = rowOf({ repository: 'a/b', run: 'a/run', ticket: 'caller.1', holder: 'one' as HolderId })
  expect(Object.keys(JSON.parse(rowText(plain))).sort()).toEqual(['holder', 'repository', 'run', 'ticket'])
  for (const row of [
    plain,
    {
      ...plain,
      phase: 'record' as const,
      sequence: 3,
      token: 4,
      durable: true,
      dueAt: 5.5,
      meta: { a: '"' },
    },
    { ...plain, holder: undefined, queuedAt: 0, ending: 'removed' as const, endedBy: 'x' },
  ])
    expect(rowOf(JSON.parse(rowText(row)))).toEqual(row)
})
