import { type HolderId, queueOrder, type RepositoryKey, type RunKey } from '@slotkeeper/core/driver'
import { expect, test } from 'vitest'
import { endOf, holderAt, KeySpace, runAt } from '../src/keys.ts'

const keys = new KeySpace('/slotkeeper')
const NAMES = [
  'a/b',
  'a/b0',
  'a/bc',
  'ab/c',
  'a/b:',
  'a/b%2Fc',
  'a/b ',
  'é/e\u0301',
  '名前/👩‍👩‍👧',
  'run/slot',
  'a/\uffff',
  'a/~',
] as RepositoryKey[]

test('no two keys are one, whatever repositories, runs and holders are called', () => {
  const all: string[] = [keys.layout, keys.clock, keys.floor]
  for (const repository of NAMES) {
    all.push(keys.domain(repository), keys.claim(repository), keys.event(repository))
    all.push(keys.wake(7, repository), keys.oldEvent(7, repository))
    for (const run of NAMES as RunKey[]) {
      all.push(keys.run(repository, run), keys.slot(repository, run))
      all.push(keys.due(repository, 7, run), keys.oldRun(7, repository, run))
      for (const holder of ['a', 'a/b', 'a%2Fb', 'a%b', 'é'] as HolderId[])
        all.push(keys.held(holder, repository, run))
    }
  }
  for (const holder of ['a', 'a/b', 'a%2Fb', 'a%b', 'é'] as HolderId[])
    all.push(keys.holder(holder), keys.alive(holder))
  expect(new Set(all).size).toBe(all.length)
})

test('what a key holds is read back from it', () => {
  for (const repository of NAMES)
    for (const run of NAMES as RunKey[])
      for (const holder of ['a', 'a/b', 'a%2Fb', 'a%25/b'] as HolderId[]) {
        const prefix = keys.held(holder)
        expect(runAt(keys.held(holder, repository, run), prefix.length)).toEqual({ repository, run })
        expect(holderAt(prefix.slice(keys.prefix.length + 'held/'.length, -1))).toBe(holder)
      }
})

test('the range of a repository holds its keys and nobody else’s', () => {
  for (const one of NAMES)
    for (const other of NAMES) {
      const [from, to, key] = [keys.runs(one), endOf(keys.runs(one)), keys.run(other, 'a/b')].map((text) =>
        Buffer.from(text),
      )
      const isInside =
        Buffer.compare(key as Buffer, from as Buffer) >= 0 && Buffer.compare(key as Buffer, to as Buffer) < 0
      expect(isInside, `${one} and ${other}`).toBe(one === other)
    }
})

test('places in a queue sort as the queue does', () => {
  const rows = [-(2 ** 31), -5, -1, 0, 1, 15, 16, 2 ** 31 - 1].flatMap((priority) =>
    [1, 2, 15, 16, 255, 2 ** 32, Number.MAX_SAFE_INTEGER].map((sequence) => ({ priority, sequence })),
  )
  const byKey = [...rows].sort((a, b) =>
    Buffer.compare(
      Buffer.from(keys.entry('a/b', a.priority, a.sequence)),
      Buffer.from(keys.entry('a/b', b.priority, b.sequence)),
    ),
  )
  expect(byKey).toEqual([...rows].sort(queueOrder))
})
