import type { Clock } from '@slotkeeper/core/driver'
import type { IEvent } from 'etcd3'
import { expect, test } from 'vitest'
import { documentText, NO_DOCUMENT } from './document.ts'
import { KeySpace } from './keys.ts'
import { Memory } from './memory.ts'
import { SharedDomains } from './shared-domains.ts'

const keys = new KeySpace('/slotkeeper')

function shared() {
  let now = 1000
  const clock = { monotonic: () => now } as Clock
  const memory = new Memory()
  const followed: string[] = []
  const domains = new SharedDomains({ keys, memory, clock }, 'own', {
    follow: (key) => followed.push(key),
    unfollow: (key) => followed.splice(followed.indexOf(key), 1),
  })
  const writes = (writer: string, revision: number) => {
    const value = Buffer.from(documentText({ ...NO_DOCUMENT, committedAt: revision }, writer))
    const kv = { key: Buffer.from(keys.domain('a/b')), value, mod_revision: String(revision) }
    domains.hear({ type: 'Put', kv } as IEvent)
  }
  const commits = (revision: number) => {
    memory.learn('a/b', { document: NO_DOCUMENT, revision })
    domains.committed('a/b', revision, 2)
  }
  return { domains, memory, followed, writes, commits, pass: (ms: number) => (now += ms) }
}

test('nobody is waited for where nobody else writes', () => {
  const { domains, commits } = shared()
  commits(1)
  expect(domains.turn('a/b')).toBeUndefined()
})

test('what somebody else writes is remembered, and who has committed since lets him go first', async () => {
  const { domains, memory, followed, writes, commits, pass } = shared()
  domains.met('a/b')
  expect(followed).toEqual([keys.domain('a/b')])
  pass(1)
  writes('other', 5)
  expect(memory.get('a/b')?.revision).toBe(5)
  expect(domains.turn('a/b'), 'it was his turn').toBeUndefined()
  pass(1)
  commits(6)
  const turn = domains.turn('a/b')
  expect(turn).toBeInstanceOf(Promise)
  writes('other', 7)
  await turn
  expect(memory.get('a/b')?.revision).toBe(7)
})

test('who does not come is waited for once', async () => {
  const { domains, writes, commits, pass } = shared()
  domains.met('a/b')
  pass(1)
  writes('other', 5)
  pass(1)
  commits(6)
  await domains.turn('a/b')
  pass(1)
  commits(7)
  expect(domains.turn('a/b')).toBeUndefined()
})

test('who had time for a turn since the last commit is not waited for', () => {
  const { domains, writes, commits, pass } = shared()
  domains.met('a/b')
  pass(1)
  writes('other', 5)
  pass(1)
  commits(6)
  expect(domains.turn('a/b')).toBeInstanceOf(Promise)
  pass(8)
  expect(domains.turn('a/b')).toBeUndefined()
})

test('the own commits that are heard of are nobody else’s', () => {
  const { domains, writes, commits, pass } = shared()
  domains.met('a/b')
  pass(1)
  for (const revision of [5, 6, 7]) {
    writes('own', revision)
    commits(revision)
    pass(1)
  }
  expect(domains.turn('a/b')).toBeUndefined()
})

test('a document that only this process writes is not followed for long', () => {
  const { domains, followed, writes, commits, pass } = shared()
  domains.met('a/b')
  writes('other', 5)
  pass(10_000)
  commits(6)
  expect(followed).toEqual([keys.domain('a/b')])
  pass(1)
  commits(7)
  expect(followed).toEqual([])
})

test('a bounded number of documents is followed', () => {
  const { domains, followed } = shared()
  for (let n = 0; n < 200; n++) domains.met(`a/${n}`)
  expect(followed).toHaveLength(64)
  expect(followed).toContain(keys.domain('a/199'))
})

test('the document that is remembered stands for what was told while no later hint was', () => {
  const { domains, writes, commits } = shared()
  expect(domains.told('a/b'), 'nothing is known').toBeUndefined()
  writes('other', 5)
  expect(domains.told('a/b'), 'a later hint may have been told before').toBeUndefined()
  domains.hinted('a/b', 5)
  expect(domains.told('a/b')?.committedAt).toBe(5)
  domains.hinted('a/b', 7)
  expect(domains.told('a/b'), 'the document of the hint has not come').toBeUndefined()
  writes('other', 7)
  expect(domains.told('a/b')?.committedAt).toBe(7)
  commits(8)
  expect(domains.told('a/b'), 'what was committed here is newer').toBe(NO_DOCUMENT)
})

test('after a watch that begins anew nothing of before stands for what is told', () => {
  const { domains, writes } = shared()
  domains.met('a/b')
  writes('other', 500)
  domains.hinted('a/b', 500)
  domains.restart()
  domains.hinted('a/b', 20)
  expect(domains.told('a/b')).toBeUndefined()
  writes('other', 20)
  expect(domains.told('a/b')?.committedAt).toBe(20)
})

test('what is told of is followed, as long as there is room', () => {
  const { domains, followed, pass } = shared()
  for (let n = 0; n < 100; n++) domains.told(`a/${n}`)
  expect(followed).toHaveLength(64)
  expect(followed).not.toContain(keys.domain('a/99'))
  pass(10_001)
  domains.told('a/99')
  expect(followed).toEqual([keys.domain('a/99')])
})
