import { describe, expect, test } from 'vitest'
import { isNotAfter, ticketSource } from './ticket.ts'

describe('tickets of one caller', () => {
  test('are unique and sort in the order in which they were made', () => {
    const next = ticketSource('a')
    const made = Array.from({ length: 5000 }, next)
    expect(new Set(made).size).toBe(made.length)
    expect(made.toSorted()).toEqual(made)
  })

  test('are recognised as repeated or earlier', () => {
    const next = ticketSource('a')
    const [first, second] = [next(), next()]
    expect(isNotAfter(first, second)).toBe(true)
    expect(isNotAfter(first, first)).toBe(true)
    expect(isNotAfter(second, first)).toBe(false)
  })

  test('keep their order where a digit is carried', () => {
    const next = ticketSource('a')
    let last = next()
    for (let i = 0; i < 36 * 36 + 2; i++) {
      const made = next()
      expect(isNotAfter(last, made)).toBe(true)
      expect(isNotAfter(made, last)).toBe(false)
      last = made
    }
  })
})

test('tickets of different callers have no order, be one name the beginning of another', () => {
  const names = ['a', 'b', 'aa', 'a.', 'a.0000000', 'a.00000000', '']
  const made = names.map((name) => ticketSource(name)())
  for (const [i, one] of made.entries())
    for (const [j, other] of made.entries())
      if (i !== j) expect(isNotAfter(one, other), `${one} ${other}`).toBe(false)
})
