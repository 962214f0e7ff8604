import type { HolderId, RepositoryRow } from '@slotkeeper/core/driver'
import type { IKeyValue } from 'etcd3'
import { expect, test } from 'vitest'
import { type DomainDocument, documentOf, documentText, NO_DOCUMENT } from './document.ts'
import { rowOf } from './row-text.ts'

const holders = ['one', 'two'] as HolderId[]
const repository: RepositoryRow = {
  ...{ repository: 'a/b', domain: 'a/b', status: 'present', state: 'active' },
  ...{ local: undefined, global: undefined, removedUids: [], lastToken: 0, lastSequence: 0 },
  ...{ live: 0, reserved: 0, orphaned: 0, waiting: 0, parked: 0, numbers: [0], dueAt: undefined },
}
const rows = [1, 2].map((n) =>
  rowOf({ repository: 'a/b', run: `a/${n}`, ticket: `t${n}`, holder: holders[n - 1], sequence: n }),
)

const documents: readonly DomainDocument[] = [
  NO_DOCUMENT,
  { ...NO_DOCUMENT, guard: { watchedUntil: 5, backlog: false }, committedAt: 7, wakeAt: 9 },
  { ...NO_DOCUMENT, guard: { watchedUntil: 0, backlog: true }, repository, dueFrom: 0 },
  {
    ...{ guard: { watchedUntil: 1, backlog: true }, committedAt: 3, dueFrom: 4, wakeAt: 0, rows },
    repository: {
      ...{ ...repository, domain: 'a/all', status: 'removed', state: 'paused', dueAt: 5.5, numbers: [5] },
      ...{ local: { limit: 0, generation: 2 }, removedUids: ['"'], lastToken: 9, lastSequence: 8 },
      ...{ live: 1, reserved: 2, orphaned: 3, waiting: 4, parked: 5 },
    },
    levels: [{ high: 1, low: 1, count: 2, first: 3 }],
    holders: [
      [holders[0] as HolderId, 0],
      [holders[1] as HolderId, 3],
    ],
  },
]

test('a document comes back as it was', () => {
  for (const document of documents) {
    const kv = { value: Buffer.from(documentText(document, 'somebody')) } as IKeyValue
    expect(documentOf(kv)).toEqual(document)
  }
})

test('of a repository with usual settings and without rows little is written', () => {
  const document = { ...NO_DOCUMENT, repository: { ...repository, lastToken: 9 } }
  expect(JSON.parse(documentText(document, 'me'))).toEqual({
    ...{ writer: 'me', rows: [] },
    repository: { repository: 'a/b', lastToken: 9 },
  })
})
