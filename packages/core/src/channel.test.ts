import { expect, test } from 'vitest'
import { Channel } from './channel.ts'

test('items come in the order in which they were pushed, to readers that wait and to later ones', async () => {
  const channel = new Channel<number>({ limit: 10, overflow: -1 })
  const early = [channel.next(), channel.next()]
  for (const item of [1, 2, 3, 4]) channel.push(item)
  expect(await Promise.all([...early, channel.next(), channel.next()])).toEqual(
    [1, 2, 3, 4].map((value) => ({ value, done: false })),
  )
})

test('a reader too far behind gets one overflow item in place of what it missed, and then what came after', async () => {
  const channel = new Channel<number>({ limit: 3, overflow: -1 })
  for (const item of [1, 2, 3, 4, 5]) channel.push(item)
  expect([(await channel.next()).value, (await channel.next()).value]).toEqual([-1, 5])
})

test('the end reaches readers that wait, drops what is unread, and is told once', async () => {
  let ends = 0
  const channel = new Channel<number>({ limit: 3, overflow: -1, onEnd: () => ends++ })
  const waiting = channel.next()
  channel.end()
  channel.end()
  channel.push(1)
  expect(await waiting).toEqual({ value: undefined, done: true })
  expect(await channel.next()).toEqual({ value: undefined, done: true })
  expect(ends).toBe(1)
})

test('what is pushed before the end and not read is gone', async () => {
  const channel = new Channel<number>({ limit: 3, overflow: -1 })
  channel.push(1)
  channel.end()
  expect((await channel.next()).done).toBe(true)
})

test('leaving a loop ends the channel', async () => {
  let ended = false
  const channel = new Channel<number>({ limit: 3, overflow: -1, onEnd: () => (ended = true) })
  channel.push(1)
  channel.push(2)
  const seen: number[] = []
  for await (const item of channel) {
    seen.push(item)
    break
  }
  expect([seen, ended]).toEqual([[1], true])
})
