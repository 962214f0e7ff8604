import { expect, test } from 'vitest'
import type { HistoryEntry } from './entries.ts'
import { History } from './history.ts'
import { judge } from './judge.ts'

const repository = 'acme/api'

/** A history in few words; each step is one moment. */
class Told extends History {
  limit(limit: number): void {
    const call = this.call()
    this.add({ kind: 'limit-asked', call, repository, limit })
    this.add({ kind: 'limit-answered', call, repository, limit })
  }

  ask(run: string, mode: 'try' | 'wait' | 'enqueue' = 'try', priority = 0, manager = 'm'): number {
    const call = this.call()
    this.add({ kind: 'asked', call, repository, run, manager, mode, priority })
    return call
  }

  queued(run: string, call: number): void {
    this.add({ kind: 'queued', call, repository, run })
  }

  grant(run: string, call: number, token: number, number?: number, again = false): void {
    this.add({
      kind: 'granted',
      call,
      repository,
      run,
      manager: 'm',
      lease: `lease-${token}`,
      token: BigInt(token),
      number,
      again,
    })
  }

  giveUp(run: string, token: number): void {
    this.add({ kind: 'given-up', repository, run, lease: `lease-${token}`, why: 'release' })
  }

  rules(): number[] {
    return judge(this.entries).map((violation) => violation.rule)
  }
}

test('slots that overlap beyond the limit break rule 1', () => {
  const told = new Told()
  told.limit(1)
  told.grant('a', told.ask('a'), 1)
  told.grant('b', told.ask('b'), 2)
  expect(told.rules()).toEqual([1])
})

test('a slot whose release has begun may be anybody’s', () => {
  const told = new Told()
  told.limit(1)
  told.grant('a', told.ask('a'), 1)
  told.giveUp('a', 1)
  told.grant('b', told.ask('b'), 2)
  expect(told.rules()).toEqual([])
})

test('a lowered limit ends nobody, but a grant asked after it obeys it', () => {
  const told = new Told()
  told.limit(2)
  told.grant('a', told.ask('a'), 1)
  const asked = told.ask('b')
  told.limit(1)
  told.grant('b', asked, 2)
  expect(told.rules()).toEqual([])
  told.grant('c', told.ask('c'), 3)
  expect(told.rules()).toEqual([1])
})

test('one number for two live slots breaks rule 1', () => {
  const told = new Told()
  told.limit(2)
  told.grant('a', told.ask('a'), 1, 1)
  told.grant('b', told.ask('b'), 2, 1)
  expect(told.rules()).toEqual([1])
})

test('a slot that was lost before its caller was told of it was nobody’s', () => {
  const told = new Told()
  told.limit(1)
  told.grant('b', told.ask('b'), 2, 1)
  told.grant('a', told.ask('a'), 1, 1)
  const lost = { kind: 'given-up', repository, run: 'a', lease: 'lease-1', why: 'lost' } as const
  const at = told.entries.at(-1)?.at ?? 0
  const rules = (entries: readonly HistoryEntry[]) => judge(entries).map(({ rule }) => rule)
  expect(rules([...told.entries, { ...lost, at }])).not.toContain(1)
  expect(rules([...told.entries, { ...lost, at: at + 1 }])).toContain(1)
})

test('a process that crashed holds nothing any more', () => {
  const told = new Told()
  told.limit(1)
  told.grant('a', told.ask('a'), 1)
  told.add({ kind: 'crashed', manager: 'm' })
  told.grant('b', told.ask('b', 'try', 0, 'n'), 2)
  expect(told.rules()).toEqual([])
})

test('a lower token for a later grant breaks rule 2; between grants that overlap nobody knows', () => {
  const told = new Told()
  const [first, second] = [told.ask('a'), told.ask('b')]
  told.grant('a', first, 5)
  told.grant('b', second, 4)
  expect(told.rules()).toEqual([])
  told.grant('c', told.ask('c'), 3)
  expect(told.rules()).toContain(2)
})

test('a lease of two runs breaks rule 4; told again to the same one, it does not', () => {
  const told = new Told()
  const call = told.ask('a')
  told.grant('a', call, 1)
  told.grant('a', call, 1, undefined, true)
  expect(told.rules()).toEqual([])
  told.grant('b', told.ask('b'), 1)
  expect(told.rules()).toEqual([4])
})

test('who waited before another asked goes before it, unless the other has a higher priority', () => {
  const told = new Told()
  const first = told.ask('a', 'wait', 1)
  told.queued('a', first)
  const [higher, lower] = [told.ask('b', 'wait', 2), told.ask('c', 'wait', 1)]
  told.grant('b', higher, 1)
  expect(told.rules()).toEqual([])
  told.grant('c', lower, 2)
  expect(told.rules()).toEqual([])
  told.grant('a', first, 3)
  expect(told.rules()).toEqual([3])
})

test('a try never goes before anybody who waited', () => {
  const told = new Told()
  told.queued('a', told.ask('a', 'wait'))
  told.grant('b', told.ask('b', 'try', 9), 1)
  told.add({ kind: 'found', repository, run: 'a', as: 'waiting' })
  expect(told.rules()).toEqual([3])
})

test('a durable entry that is nowhere to be found breaks rule 5', () => {
  const told = new Told()
  told.ask('a', 'enqueue')
  told.ask('b', 'enqueue')
  told.add({ kind: 'found', repository, run: 'a', as: 'absent' })
  told.add({ kind: 'found', repository, run: 'b', as: 'waiting' })
  expect(told.rules()).toEqual([5])
})

test('a state that goes back, and a second end, break rule 6', () => {
  const told = new Told()
  const read = (state: 'queued' | 'started' | 'completed' | 'failed') =>
    told.add({ kind: 'state', asked: told.now(), repository, run: 'a', attempt: '1', state })
  read('queued')
  read('started')
  read('completed')
  expect(told.rules()).toEqual([])
  read('failed')
  expect(told.rules()).toEqual([6])
})
