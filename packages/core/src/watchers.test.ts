import { expect, test, vi } from 'vitest'
import type { Channel } from './channel.ts'
import type { WatchEvent } from './driver.ts'
import type { StoreEvent } from './rows.ts'
import { Watchers } from './watchers.ts'

const never = new AbortController().signal
const everything = () => true

function event(repository: StoreEvent['repository']): StoreEvent {
  return { kind: 'released', repository, at: 1 } as StoreEvent
}

/** What a reader has not read yet, in short. */
async function unread(watchers: Watchers, channel: Channel<WatchEvent>): Promise<string[]> {
  // The last one, so that nobody waits for what does not come.
  watchers.overdue()
  const kinds: string[] = []
  for (;;) {
    const { value: hint } = await channel.next()
    if (hint === undefined || hint.kind === 'overdue') return kinds
    kinds.push(hint.kind === 'event' ? hint.event.repository : hint.kind)
  }
}

function listened(origin = 'own') {
  const [onFirst, onLast] = [vi.fn(), vi.fn()]
  return { watchers: new Watchers({ origin, onFirst, onLast }), onFirst, onLast }
}

test('the first watcher has the driver listen, the last one to leave ends that, and those between share it', () => {
  const { watchers, onFirst, onLast } = listened()
  const [first, second] = [0, 1].map(() => watchers.add({ wants: everything, signal: never }))
  expect(onFirst).toHaveBeenCalledTimes(1)
  first?.end()
  first?.end()
  expect(onLast).not.toHaveBeenCalled()
  second?.end()
  expect(onLast).toHaveBeenCalledTimes(1)
  watchers.add({ wants: everything, signal: never })
  expect(onFirst).toHaveBeenCalledTimes(2)
})

test('a watch begins with one resync: once the store tells what happens, or at once where it does already', async () => {
  const { watchers } = listened()
  const early = watchers.add({ wants: everything, signal: never })
  expect(await unread(watchers, early)).toEqual([])
  watchers.begin()
  const late = watchers.add({ wants: everything, signal: never })
  expect(await unread(watchers, early)).toEqual(['resync'])
  expect(await unread(watchers, late)).toEqual(['resync'])
})

test('who comes while the store tells nothing gets the resync when it begins again, as everybody does', async () => {
  const { watchers } = listened()
  const early = watchers.add({ wants: everything, signal: never })
  watchers.begin()
  watchers.pause()
  const late = watchers.add({ wants: everything, signal: never })
  expect(await unread(watchers, late)).toEqual([])
  watchers.begin()
  expect(await unread(watchers, late)).toEqual(['resync'])
  early.end()
  late.end()
  const again = watchers.add({ wants: everything, signal: never })
  expect(await unread(watchers, again), 'after the last one has left').toEqual([])
})

test('a driver that listens at once may say so while the first one begins', async () => {
  const watchers: Watchers = new Watchers({ onFirst: () => watchers.begin(), onLast: () => undefined })
  const channel = watchers.add({ wants: everything, signal: never })
  expect(await unread(watchers, channel)).toEqual(['resync'])
})

test('each hears what it wants, and is asked at every event', async () => {
  const { watchers } = listened()
  let wanted = 'acme/api'
  const one = watchers.add({ wants: ({ repository }) => repository === wanted, signal: never })
  watchers.tell([event('acme/api'), event('acme/web')])
  wanted = 'acme/web'
  watchers.tell([event('acme/api'), event('acme/web')])
  expect(await unread(watchers, one)).toEqual(['acme/api', 'acme/web'])
})

test('what this driver told others is not heard again, and what no driver wrote makes everybody look', async () => {
  const { watchers } = listened('own')
  const channel = watchers.add({ wants: everything, signal: never })
  const events = [event('acme/api')]
  watchers.hear(JSON.stringify({ origin: 'own', events }))
  watchers.hear(JSON.stringify({ origin: 'other', events }))
  expect(await unread(watchers, channel)).toEqual(['acme/api'])
  const strange = [
    '',
    'hello',
    'null',
    '7',
    '[]',
    '{"origin":"own"}',
    '{"events":[null]}',
    '{"events":[{"kind":1}]}',
  ]
  for (const text of strange) {
    watchers.hear(text)
    expect(await unread(watchers, channel), text).toEqual(['resync'])
  }
})

test('a reader that falls behind has one resync in place of what it missed', async () => {
  const { watchers } = listened()
  const slow = watchers.add({ wants: everything, signal: never })
  watchers.tell(Array.from({ length: 1001 }, () => event('acme/api')))
  expect(await unread(watchers, slow)).toEqual(['resync'])
})

test('a watch ends with its signal, also with one that is over already, and leaves nothing on it', async () => {
  const { watchers, onLast } = listened()
  const controller = new AbortController()
  const { signal } = controller
  const removed = vi.spyOn(signal, 'removeEventListener')
  const channel = watchers.add({ wants: everything, signal })
  const reading = channel.next()
  controller.abort()
  expect((await reading).done).toBe(true)
  expect(removed).toHaveBeenCalledTimes(1)
  expect((await watchers.add({ wants: everything, signal }).next()).done).toBe(true)
  expect(onLast).toHaveBeenCalledTimes(2)
})

test('closing ends every watch', async () => {
  const { watchers, onLast } = listened()
  const channels = [0, 1, 2].map(() => watchers.add({ wants: everything, signal: never }))
  watchers.close()
  for (const channel of channels) expect((await channel.next()).done).toBe(true)
  expect(onLast).toHaveBeenCalledTimes(1)
})
