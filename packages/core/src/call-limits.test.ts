import { expect, test } from 'vitest'
import { CallLimits } from './call-limits.ts'
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
  const { clock, begin, ends } = scene()
  const end = begin('a', 10)
  expect(end()).toBe(true)
  expect(end()).toBe(false)
  clock.pass(100)
  expect(ends).toEqual([])
})

test('a signal ends its own call only', () => {
  const { clock, begin, ends } = scene()
  const controller = new AbortController()
  begin('a', 10, controller.signal)
  begin('b', 10)
  controller.abort('away')
  expect(ends).toEqual(['a away'])
  clock.pass(10)
  expect(ends).toEqual(['a away', 'b expired'])
})

test('closing ends all calls, those that come later too, and leaves no timer', () => {
  const { clock, closing, begin, ends } = scene()
  begin('a', 10)
  begin('b', 20)
  closing.abort('closed')
  const end = begin('c', 10)
  expect(end()).toBe(false)
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
  const { clock, limits, begin, ends } = scene()
  limits.begin({
    ms: 10,
    expired: () => 'expired',
    signal: undefined,
    reject: () => {
      ends.push('first expired')
      begin('second', 5)
    },
  })
  begin('third', 100)
  clock.pass(10)
  clock.pass(5)
  expect(ends).toEqual(['first expired', 'second expired'])
  clock.pass(85)
  expect(ends).toEqual(['first expired', 'second expired', 'third expired'])
})

function scene() {
  const clock = new StoppedClock()
  const closing = new AbortController()
  const limits = new CallLimits(clock, closing.signal)
  const ends: string[] = []
  const begin = (name: string, ms: number, signal?: AbortSignal) =>
    limits.begin({
      ms,
      expired: () => 'expired',
      signal,
      reject: (reason) => ends.push(`${name} ${reason}`),
    })
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
