import fc from 'fast-check'
import { expect, test } from 'vitest'
import { giveNumber, numbersOf, type SlotNumbers, takeNumber } from './slot-numbers.ts'

test('the number taken is the lowest that is free, over words and after any giving back', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(99)), (steps) => {
      const numbers: SlotNumbers = [0]
      const used = new Set<number>()
      for (const step of steps) {
        const back = [...used][step % 50]
        if (step >= 60 && back !== undefined) {
          giveNumber(numbers, back)
          used.delete(back)
        } else {
          let lowest = 1
          while (used.has(lowest)) lowest++
          expect(takeNumber(numbers)).toBe(lowest)
          used.add(lowest)
        }
        expect(numbers).toEqual(numbersOf(used))
      }
    }),
  )
})

test('the bitmap of numbers has a bit for each, whatever their order', () => {
  expect(numbersOf([])).toEqual([0])
  expect(numbersOf([1, 3])).toEqual([5])
  expect(numbersOf([33, 1])).toEqual([1, 1])
  expect(numbersOf([32])).toEqual([1 << 31])
  expect(numbersOf([0, 64])).toEqual([0, 1 << 31])
})

test('words that are full are passed over, the highest bit included', () => {
  const numbers: SlotNumbers = []
  for (let i = 1; i <= 96; i++) expect(takeNumber(numbers)).toBe(i)
  expect(numbers).toEqual([-1, -1, -1])
  giveNumber(numbers, 64)
  expect(takeNumber(numbers)).toBe(64)
})

test('an empty word is left of numbers that were all given back', () => {
  const numbers = numbersOf([5, 40, 70])
  for (const number of [40, 70, 5]) giveNumber(numbers, number)
  expect(numbers).toEqual([0])
})

test('giving back none, or one that was never taken, changes nothing', () => {
  const numbers = numbersOf([2, 34])
  for (const number of [0, 1, 35, 500]) giveNumber(numbers, number)
  expect(numbers).toEqual(numbersOf([2, 34]))
})
