import { expect, test } from 'vitest'
import { CallLimits, type Limited } from './call-limits.ts'
import type { Clock } from './clock.ts'

test('each call ends at its own limit, with one timer for all', () => {
  const { clock, begin, ends } = scene()
  begin('a', 100)
  begin('b', 50)
  begin('c', 70)
  clock.pass(49)
  expect(ends).toEqual([])
  clock.pass(1)
  expect(ends).toEqual(['b expired'])
  clock.pass(20)
  expect(ends).toEqual(['b expired', 'c expired'])
  clock.pass(30)
  expect(ends).toEqual(['b expired', 'c expired', 'a expired'])
  expect(clock.armed).toBe(0)
})

test('an answered call has no limit any more, and ends once', () => {
  const { clock, limits, begin, ends } = scene()
  const call = begin('a', 10)
  expect([limits.size, limits.has('a')]).toEqual([1, true])
  expect(limits.end(call)).toBe(true)
  expect(limits.end(call)).toBe(false)
  expect([limits.size, limits.has('a')]).toEqual([0, false])
  clock.pass(100)
  expect(ends).toEqual([])
})

test('calls that end in any order leave the limits of the others as they were', () => {
  const { clock, limits, begin, ends } = scene()
  const [first, , third] = ['a', 'b', 'c', 'd'].map((name, at) => begin(name, 10 + at))
  limits.end(first as Limited)
  limits.end(third as Limited)
  clock.pass(100)
  expect(ends.sort()).toEqual(['b expired', 'd expired'])
  expect(limits.size).toBe(0)
})

test('closing ends all calls, those that come later too, and leaves no timer', () => {
  const { clock, closing, limits, begin, ends } = scene()
  begin('a', 10)
  begin('b', 20)
  closing.abort('closed')
  expect(limits.end(begin('c', 10))).toBe(false)
  expect(ends).toEqual(['a closed', 'b closed', 'c closed'])
  expect(clock.armed).toBe(0)
})

test('a timer that rings early ends the call all the same', () => {
  const { clock, begin, ends } = scene()
  begin('a', 10)
  clock.ring()
  expect(ends).toEqual(['a expired'])
})

test('a call that is begun when another one expires has its own limit', () => {
  const { clock, begin, ends } = scene((name) => {
    if (name === 'first') begin('second', 5)
  })
  begin('first', 10)
  begin('third', 100)
  clock.pass(10)
  clock.pass(5)
  expect(ends).toEqual(['first expired', 'second expired'])
  clock.pass(85)
  expect(ends).toEqual(['first expired', 'second expired', 'third expired'])
})

function scene(ended: (name: string) => void = () => {}) {
  const clock = new StoppedClock()
  const closing = new AbortController()
  const limits = new CallLimits(clock, closing.signal)
  const ends: string[] = []
  const begin = (name: string, ms: number): Limited => {
    const call: Limited = {
      ticket: name,
      until: clock.monotonic() + ms,
      limitedAt: -1,
      expire: () => call.abort('expired'),
      abort: (reason) => {
        if (!limits.end(call)) return
        ends.push(`${name} ${reason}`)
        ended(name)
      },
    }
    limits.begin(call, ms)
    return call
  }
  return { clock, closing, limits, begin, ends }
}

class StoppedClock implements Clock {
  #now = 0
  readonly #timers = new Map<() => void, number>()

  get armed(): number {
    return this.#timers.size
  }

  pass(ms: number): void {
    this.#now += ms
    for (const [ring, at] of [...this.#timers]) if (at <= this.#now && this.#timers.delete(ring)) ring()
  }

  /** Lets all timers ring although no time has passed. */
  ring(): void {
    for (const ring of [...this.#timers.keys()]) if (this.#timers.delete(ring)) ring()
  }

  monotonic(): number {
    return this.#now
  }

  uptime(): number {
    return this.#now
  }

  wall(): number {
    return this.#now
  }

  schedule(ring: () => void, ms: number): () => void {
    this.#timers.set(ring, this.#now + ms)
    return () => this.#timers.delete(ring)
  }

  keepAlive(): () => void {
    return () => {}
  }
}
