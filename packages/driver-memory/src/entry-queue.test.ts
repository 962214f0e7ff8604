import { expect, test } from 'vitest'
import { EntryQueue, type Queued } from './entry-queue.ts'

interface Entry extends Queued {
  priority: number
  sequence: number
}

function entry(sequence: number, priority = 0): Entry {
  return { priority, sequence, at: -1, heapIndex: -1 }
}

function inOrder(entries: readonly Entry[]): Entry[] {
  return [...entries].sort((a, b) => b.priority - a.priority || a.sequence - b.sequence)
}

/** Numbers that are the same at every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

test.each([1, 2, 3, 4])(
  'the next one and every place are those of the total order, whoever joins, leaves or comes back, %i',
  (seed) => {
    const random = numbers(seed)
    const queue = new EntryQueue<Entry>()
    let waiting: Entry[] = []
    const away: Entry[] = []
    for (let sequence = 1; sequence < 6000; sequence++) {
      const what = random(10)
      // Now and then nobody is left, or very many are.
      const join = waiting.length === 0 || what < (Math.floor(sequence / 1500) % 2 === 0 ? 7 : 4)
      if (join) {
        const back = what === 1 ? away.pop() : undefined
        const joining = back ?? entry(sequence, random(seed * 5) === 0 ? random(3) - 1 : 0)
        // A run that ended and asks again has the same row and another place.
        if (back !== undefined && random(2) === 0) back.sequence = sequence
        waiting.push(joining)
        queue.push(joining)
      } else {
        const leaving = (random(3) > 0 ? queue.peek() : waiting[random(waiting.length)]) as Entry
        waiting = waiting.filter((other) => other !== leaving)
        queue.remove(leaving)
        away.push(leaving)
      }
      expect(queue.size).toBe(waiting.length)
      if (sequence % 20 > 0) continue
      const order = inOrder(waiting)
      expect(queue.peek()).toBe(order[0])
      for (const [before, one] of order.slice(0, 50).entries())
        expect(queue.countBefore(one, 40)).toBe(Math.min(before, 40))
      const last = order.at(-1)
      if (last !== undefined) expect(queue.countBefore(last, 100_000)).toBe(order.length - 1)
    }
  },
)

test('one that never goes holds up no memory of those who left behind it', () => {
  const queue = new EntryQueue<Entry>()
  const first = entry(0)
  queue.push(first)
  let last = first
  for (let sequence = 1; sequence < 10_000; sequence++) {
    last = entry(sequence)
    queue.push(last)
    queue.remove(last)
  }
  queue.push(last)
  expect(last.at).toBeLessThan(2000)
  expect(queue.peek()).toBe(first)
})

test('who joins the line while only others wait is found', () => {
  const queue = new EntryQueue<Entry>()
  const [left, urgent, joined] = [entry(1), entry(2, 1), entry(3)]
  for (const one of [left, urgent]) queue.push(one)
  queue.remove(left)
  queue.push(joined)
  queue.remove(urgent)
  expect([queue.peek(), queue.size, queue.countBefore(joined, 10)]).toEqual([joined, 1, 0])
})
