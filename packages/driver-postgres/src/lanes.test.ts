import { type Decide, type DomainBatch, InternalError } from '@slotkeeper/core/driver'
import { expect, test, vi } from 'vitest'
import { Lanes, type Work } from './lanes.ts'

const decide = (() => {}) as unknown as Decide

function airport() {
  const flights: { readonly domains: readonly string[]; land(): void }[] = []
  const lanes = new Lanes(
    (works: readonly Work[]) =>
      new Promise((resolve) => {
        const land = () => {
          for (const work of works) work.finish()
          resolve()
        }
        flights.push({ domains: works.map(({ batch }) => batch.domain), land })
      }),
    (error) => new InternalError(String(error)),
  )
  let domains = 0
  const ask = (count: number) => {
    const batches = Array.from(
      { length: count },
      () => ({ domain: `a/${domains++}`, done() {} }) as DomainBatch,
    )
    return lanes.take(batches, decide, undefined)
  }
  return { flights, ask, sizes: () => flights.map((flight) => flight.domains.length) }
}

test('few leave together, and those that come meanwhile wait for them', async () => {
  const { flights, ask, sizes } = airport()
  const first = ask(7)
  const next = [ask(1), ask(2)]
  expect(sizes()).toEqual([7])
  flights[0]?.land()
  await first
  await Promise.resolve()
  expect(sizes()).toEqual([7, 3])
  flights[1]?.land()
  await Promise.all(next)
})

test('many leave in two halves, and those that come meanwhile take the place of the half that is back first', async () => {
  const { flights, ask, sizes } = airport()
  void ask(9)
  void ask(40)
  expect(sizes()).toEqual([5, 4])
  flights[1]?.land()
  await Promise.resolve()
  await Promise.resolve()
  expect(sizes()).toEqual([5, 4, 40])
  expect(new Set(flights.flatMap(({ domains }) => domains)).size).toBe(49)
})

test('who would fill a flight does not wait', () => {
  const { ask, sizes } = airport()
  void ask(8)
  void ask(130)
  expect(sizes()).toEqual([4, 4, 128])
})

test('a flight that is held up holds up nobody', ({ onTestFinished }) => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { ask, sizes } = airport()
  void ask(1)
  void ask(1)
  expect(sizes()).toEqual([1])
  vi.advanceTimersByTime(25)
  expect(sizes()).toEqual([1, 1])
})
