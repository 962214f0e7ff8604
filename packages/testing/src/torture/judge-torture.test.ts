import { describe, expect, test } from 'vitest'
import { judgeTorture } from './judge-torture.ts'
import type { FenceWrite, Said, TortureLine } from './lines.ts'

const repository = 'torture/api'

/** An honest log in few words: two workers under a limit of one, one of them killed. Each line is 100 ms later. */
class Log {
  readonly lines: TortureLine[] = []
  readonly writes: FenceWrite[] = []
  readonly #calls = new Map<string, number>()

  say(by: string, said: Said): void {
    this.lines.push({ at: 100 * this.lines.length, by, ...said })
  }

  limit(call: number, limit: number): void {
    this.say('conductor', { event: 'limit-asked', call, repository, limit })
    this.say('conductor', { event: 'limit-answered', call, repository, limit })
  }

  ask(by: string, run: string, mode: 'try' | 'wait' | 'enqueue' = 'wait', priority = 0): void {
    const call = this.#calls.size + 1
    this.#calls.set(run, call)
    this.say(by, { event: 'asked', repository, run, call, mode, priority })
  }

  queued(run: string): void {
    this.say('conductor', { event: 'queued', repository, run, call: this.#callOf(run) })
  }

  grant(
    by: string,
    run: string,
    token: number,
    more: Partial<TortureLine & { event: 'granted' }> = {},
  ): void {
    const at = 100 * this.lines.length
    this.say(by, {
      event: 'granted',
      repository,
      run,
      call: this.#callOf(run),
      lease: `lease-${token}`,
      token: String(token),
      number: 1,
      holder: by,
      again: false,
      adopted: false,
      held: true,
      until: at + 1500,
      ...more,
    })
  }

  over(by: string, run: string, token: number, sure: number[] = [], held = true): void {
    const of = { repository, run, call: this.#callOf(run), lease: `lease-${token}` }
    this.say(by, { event: 'over', ...of, held, sure })
    this.say(by, { event: 'released', ...of, outcome: held ? 'released' : 'lost' })
  }

  lost(by: string, run: string, token: number, reason: string): void {
    this.say(by, { event: 'lost', repository, run, call: this.#callOf(run), lease: `lease-${token}`, reason })
  }

  write(by: string, token: number, write: number): void {
    this.writes.push({ by, repository, number: 1, token: String(token), write })
  }

  /** Nothing but time passes. */
  wait(ms: number): void {
    for (let passed = 0; passed < ms; passed += 100) this.say('conductor', { event: 'idle' })
  }

  kill(victim: string): void {
    this.say('conductor', { event: 'fault', kind: 'kill', victim })
  }

  found(run: string, as: 'ended' | 'absent'): void {
    this.say('conductor', { event: 'found', repository, run, as })
  }

  rules(): number[] {
    return [...new Set(judgeTorture(this.lines, this.writes).map(({ rule }) => rule))]
  }

  #callOf(run: string): number {
    return this.#calls.get(run) as number
  }
}

/** `a` is held and freed, then `b`; the second half is up to the test. */
function begun(): Log {
  const log = new Log()
  log.limit(1001, 1)
  log.ask('w0', 'a')
  log.grant('w0', 'a', 1)
  log.write('w0', 1, 11)
  log.ask('w1', 'b')
  log.queued('b')
  return log
}

test('an honest log is acquitted: one after the other, a killed process’s slot after its deadline', () => {
  const log = begun()
  log.over('w0', 'a', 1, [11])
  log.grant('w1', 'b', 2)
  log.write('w1', 2, 21)
  log.kill('w1')
  log.wait(1500)
  log.ask('w0', 'c')
  log.grant('w0', 'c', 3)
  // Somebody who was stopped writes late, and does not claim that he held it.
  log.write('w1', 2, 22)
  log.write('w0', 3, 31)
  log.over('w0', 'c', 3, [31])
  for (const run of ['a', 'b', 'c']) log.found(run, 'ended')
  expect(log.rules()).toEqual([])
})

describe('rule 1', () => {
  test('two bodies under a limit of one', () => {
    const log = begun()
    log.grant('w1', 'b', 2, { number: 2 })
    log.over('w0', 'a', 1, [11])
    expect(log.rules()).toContain(1)
  })

  test('a killed process’s slot is given away before the deadline that it knew', () => {
    const log = begun()
    log.kill('w0')
    log.grant('w1', 'b', 2, { number: 2 })
    expect(log.rules()).toContain(1)
  })

  test('the deadline that counts is the last one it told of', () => {
    const log = begun()
    log.say('w0', { event: 'term', holder: 'w0', until: 5000 })
    log.kill('w0')
    log.wait(2000)
    log.grant('w1', 'b', 2, { number: 2 })
    expect(log.rules()).toContain(1)
  })

  test('a body that is not over at its deadline counts no longer', () => {
    const log = begun()
    log.say('conductor', { event: 'fault', kind: 'stop', victim: 'w0' })
    log.wait(1500)
    log.grant('w1', 'b', 2)
    log.lost('w0', 'a', 1, 'deadline')
    log.over('w0', 'a', 1, [11], false)
    expect(log.rules()).toEqual([])
  })

  test('one number for two', () => {
    const log = begun()
    log.limit(1002, 2)
    log.grant('w1', 'b', 2)
    expect(log.rules()).toContain(1)
  })
})

describe('rules 2 and 4', () => {
  test('a token granted twice, a lower one for a later grant', () => {
    for (const token of [1, 0]) {
      const log = begun()
      log.over('w0', 'a', 1, [11])
      log.ask('w1', 'c')
      log.grant('w1', 'c', token, { lease: 'lease-c' })
      expect(log.rules()).toContain(2)
    }
  })

  test('a lease of two', () => {
    const log = begun()
    log.over('w0', 'a', 1, [11])
    log.grant('w1', 'b', 2, { lease: 'lease-1' })
    expect(log.rules()).toContain(4)
  })
})

describe('rule 3', () => {
  test('one who waited is passed by one who asked later', () => {
    const log = begun()
    log.ask('w0', 'c')
    log.over('w0', 'a', 1, [11])
    log.grant('w0', 'c', 2)
    log.over('w0', 'c', 2)
    log.grant('w1', 'b', 3)
    expect(log.rules()).toEqual([3])
  })

  test('not where he may have lost his place: his process stood still', () => {
    const log = begun()
    log.say('conductor', { event: 'fault', kind: 'stop', victim: 'w1' })
    log.ask('w0', 'c')
    log.over('w0', 'a', 1, [11])
    log.grant('w0', 'c', 2)
    log.over('w0', 'c', 2)
    log.grant('w1', 'b', 3)
    expect(log.rules()).toEqual([])
  })
})

describe('rule 5', () => {
  test('a durable entry that was there came to nothing, though its process was killed', () => {
    for (const event of ['enqueued', 'queued'] as const) {
      const log = begun()
      log.over('w0', 'a', 1, [11])
      log.ask('w0', 'c', 'enqueue')
      log.say('w0', { event, repository, run: 'c', call: 3 })
      log.kill('w0')
      log.found('c', 'absent')
      expect(log.rules()).toEqual([5])
    }
  })

  test('not one of a process that was killed before it was told', () => {
    const log = begun()
    log.over('w0', 'a', 1, [11])
    log.ask('w0', 'c', 'enqueue')
    log.kill('w0')
    log.found('c', 'absent')
    expect(log.rules()).toEqual([])
  })

  test('a worker’s wish of a process that lives came to nothing', () => {
    const log = begun()
    log.found('b', 'ended')
    expect(log.rules()).toEqual([5])
  })
})

test('rule 8: a holder that is called dead before its time', () => {
  const log = begun()
  log.lost('w0', 'a', 1, 'holder-lost')
  log.over('w0', 'a', 1, [11], false)
  expect(log.rules()).toEqual([8])
})

test('rule 9: a write is refused of somebody who held the slot then', () => {
  const log = begun()
  log.write('w1', 2, 21)
  log.write('w0', 1, 12)
  log.over('w0', 'a', 1, [11])
  expect(log.rules()).toEqual([])
  const other = begun()
  other.write('w1', 2, 21)
  other.write('w0', 1, 12)
  other.over('w0', 'a', 1, [11, 12])
  expect(other.rules()).toEqual([9])
})

test('a run that was ended by its name proves nothing of whoever had it by then', () => {
  const log = begun()
  log.say('w0', { event: 'finishing', repository, run: 'b', call: 2, lease: 'lease-0' })
  log.over('w0', 'a', 1, [11])
  log.grant('w1', 'b', 2)
  log.lost('w1', 'b', 2, 'holder-lost')
  expect(log.rules()).toEqual([])
})

test('a slot that one body of a process has ended is rightly lost to another one of it, but not before', () => {
  const scene = (order: readonly ('finishing' | 'lost')[]) => {
    const log = begun()
    for (const what of order)
      if (what === 'lost') log.lost('w0', 'a', 1, 'removed')
      else log.say('w0', { event: 'finishing', repository, run: 'a', call: 1, lease: 'lease-1' })
    log.over('w0', 'a', 1, [], false)
    return log.rules()
  }
  expect(scene(['finishing', 'lost'])).toEqual([])
  expect(scene(['lost', 'finishing'])).toEqual([8])
})
