import { expect, test } from 'vitest'
import { type DomainDocument, documentText, NO_DOCUMENT } from './document.ts'
import { Memory } from './memory.ts'

const document = (committedAt: number): DomainDocument => ({ ...NO_DOCUMENT, committedAt })

function kvOf(revision: number) {
  const value = Buffer.from(documentText(document(revision), 'somebody'))
  const none = { create_revision: '0', version: '1', lease: '0' }
  return { key: Buffer.from('k'), value, mod_revision: String(revision), ...none }
}

test('of what comes late the newest is remembered', () => {
  const memory = new Memory()
  memory.hear('a/b', kvOf(7))
  memory.learn('a/b', { document: document(6), revision: 6 })
  expect(memory.get('a/b')).toMatchObject({ revision: 7, document: { committedAt: 7 } })
  memory.forget('a/b')
  memory.learn('a/b', { document: document(6), revision: 6 })
  expect(memory.get('a/b')).toMatchObject({ revision: 6 })
})

test('memory is bounded: what was not used for longest is forgotten', () => {
  const memory = new Memory()
  memory.learn('a/used', { document: document(1), revision: 1 })
  memory.learn('a/unused', { document: document(1), revision: 1 })
  for (let n = 0; n < 40_000; n++) {
    memory.learn(`a/${n}`, { document: document(1), revision: 1 })
    if (n % 1000 === 0) expect(memory.get('a/used')).toBeDefined()
  }
  expect(memory.get('a/unused')).toBeUndefined()
  expect(memory.get('a/0')).toBeUndefined()
  expect(memory.get('a/39999')).toBeDefined()
})

test('documents that nobody has read count by their length: there is room for thousands of small ones', () => {
  const memory = new Memory()
  for (let n = 0; n < 5000; n++) memory.hear(`a/${n}`, kvOf(1))
  expect(memory.get('a/0')).toBeDefined()
})
