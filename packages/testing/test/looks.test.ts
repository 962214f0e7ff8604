import { Manager, type RunKey, repository } from '@slotkeeper/core'
import type { Query } from '@slotkeeper/core/driver'
import { memoryDriver, memoryStore } from '@slotkeeper/driver-memory'
import { expect, test } from 'vitest'
import { faultyDriver } from '../src/faults/faulty-driver.ts'

const hot = repository('acme/hot', { concurrencyLimit: 1 })
const MANY = 1200
/** So many rows a look may ask for at once. */
const PAGE = 500

/** Many who wait behind a slot of somebody else's, in a Manager that reads as from a network and is told nothing. */
async function scene() {
  const store = memoryStore()
  const other = new Manager({ driver: memoryDriver({ store }) })
  const inner = memoryDriver({ store })
  const asked: number[] = []
  const read = inner.read.bind(inner)
  inner.read = (query: Query) => {
    if (query.kind === 'runs') asked.push(query.runs.length)
    return read(query)
  }
  const driver = faultyDriver(inner, { asynchronous: true, manifest: { backstopMs: 20 } })
  const manager = new Manager({ driver })
  const slot = await other.waitForSlot({ repository: hot, run: 'acme/first' })
  const waiting = Array.from({ length: MANY }, (_, at) =>
    manager.waitForSlot({ repository: hot, run: `acme/run-${at}` as RunKey }),
  )
  await expect.poll(async () => (await other.getCurrentSlots(hot)).waiting).toBe(MANY)
  return {
    other,
    manager,
    driver,
    slot,
    waiting,
    asked,
    close: () => Promise.all([manager.close(), other.close()]),
  }
}

test('however many wait, few rows are read at once, and whoever was granted a slot without being told finds out', async () => {
  const { driver, slot, waiting, asked, close } = await scene()
  driver.muteWatches()
  await slot.release()
  await waiting[0]
  expect(Math.max(...asked)).toBeLessThanOrEqual(PAGE)
  for (const one of waiting) one.catch(() => {})
  await close()
})

test('a watch that begins again has everybody looked at, in several reads', async () => {
  const { driver, slot, waiting, asked, close } = await scene()
  const before = asked.length
  driver.breakWatches()
  await expect.poll(() => asked.slice(before).reduce((all, one) => all + one, 0)).toBeGreaterThanOrEqual(MANY)
  expect(Math.max(...asked)).toBeLessThanOrEqual(PAGE)
  await slot.release()
  await waiting[0]
  for (const one of waiting) one.catch(() => {})
  await close()
})
