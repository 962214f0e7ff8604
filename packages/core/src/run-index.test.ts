import { expect, test } from 'vitest'
import type { RepositoryKey, RunKey } from './keys.ts'
import { type Indexed, RunIndex } from './run-index.ts'

function item(run: RunKey, ticket: string, repository: RepositoryKey = 'acme/api'): Indexed {
  return { repository, run, ticket, indexedAt: -1 }
}

test('what was added is found by its run and its ticket, before and after others came and went', () => {
  const index = new RunIndex<Indexed>()
  const one = item('acme/a', 't1')
  index.add(one)
  expect(index.ofTicket('acme/api', 'acme/a', 't1')).toBe(one)
  const two = item('acme/b', 't2')
  index.add(two)
  index.remove(one)
  expect(index.ofTicket('acme/api', 'acme/a', 't1')).toBeUndefined()
  expect(index.ofTicket('acme/api', 'acme/b', 't2')).toBe(two)
  expect([index.size, index.has(one), index.has(two)]).toEqual([1, false, true])
})

test('two of one run, and one run of two repositories, are told apart', () => {
  const index = new RunIndex<Indexed>()
  const [older, newer, elsewhere] = [
    item('acme/a', 't1'),
    item('acme/a', 't2'),
    item('acme/a', 't3', 'acme/web'),
  ]
  for (const one of [older, newer, elsewhere]) index.add(one)
  expect(index.of('acme/api', 'acme/a')).toEqual([older, newer])
  expect(index.ofTicket('acme/api', 'acme/a', 't3')).toBeUndefined()
  index.remove(older)
  expect(index.of('acme/api', 'acme/a')).toEqual([newer])
  expect(index.of('acme/web', 'acme/a')).toEqual([elsewhere])
  index.remove(elsewhere)
  index.remove(newer)
  expect([index.size, index.of('acme/api', 'acme/a')]).toEqual([0, []])
})

test('adding and removing twice changes nothing, and an answer stays as it was', () => {
  const index = new RunIndex<Indexed>()
  const one = item('acme/a', 't1')
  index.add(one)
  index.add(one)
  const all = index.all()
  index.remove(one)
  index.remove(one)
  expect([index.size, all]).toEqual([0, [one]])
})

test('some of many are others each time, until all had their turn', () => {
  const index = new RunIndex<Indexed>()
  const all = Array.from({ length: 10 }, (_, at) => item(`acme/${at}`, `t${at}`))
  for (const one of all) index.add(one)
  const turns = [1, 2, 3, 4].map(() => index.some(4))
  expect(turns.map(({ length }) => length)).toEqual([4, 4, 2, 4])
  expect(new Set(turns.slice(0, 3).flat())).toEqual(new Set(all))
  expect(index.some(10)).toEqual(all)
  for (const one of all.slice(2)) index.remove(one)
  expect(index.some(1)).toHaveLength(1)
})
