import { silentLogger } from '@slotkeeper/core/driver'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Listener } from './listener.ts'

/** One who looks, in made-up time: how long a look takes, and up to which transaction, is said before. */
function looking() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const told = { gaps: 0, looks: 0 }
  const next = { takesMs: 0, transaction: '700' }
  const listener = new Listener({
    ...{ config: {}, channel: 'slots', listen: false, logger: silentLogger },
    notify: () => Promise.resolve(),
    onBegin: () => {},
    onPause: () => {},
    onNotification: () => {},
    onGap: () => told.gaps++,
    look: async () => {
      told.looks++
      await new Promise((resolve) => setTimeout(resolve, next.takesMs))
      return { payloads: [], next: next.transaction }
    },
  })
  onTestFinished(() => {
    listener.stop()
    vi.useRealTimers()
  })
  listener.start()
  /** So many seconds go by. @returns how often it was said meanwhile that something may be missing */
  const gapsIn = async (seconds: number) => {
    told.gaps = 0
    await vi.advanceTimersByTimeAsync(seconds * 1000)
    return told.gaps
  }
  return { next, told, gapsIn }
}

test('who begins to look may miss something for a while, and nothing later', async () => {
  const { told, gapsIn } = looking()
  expect(await gapsIn(10)).toBe(6)
  expect(await gapsIn(10)).toBe(0)
  expect(told.looks).toBeGreaterThan(15)
})

test('a look that took so long that decisions may have thought nobody looks says that something may be missing', async () => {
  const { next, gapsIn } = looking()
  await gapsIn(10)
  next.takesMs = 9000
  expect(await gapsIn(9)).toBe(0)
  next.takesMs = 0
  expect(await gapsIn(12)).toBeGreaterThanOrEqual(6)
  expect(await gapsIn(10)).toBe(0)
})

test('a server that counts transactions from a lower number is another one, and something may be missing', async () => {
  const { next, gapsIn } = looking()
  await gapsIn(10)
  next.transaction = '650'
  expect(await gapsIn(10)).toBe(6)
})
