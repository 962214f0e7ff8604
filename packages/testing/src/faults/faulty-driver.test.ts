import type { Driver, HolderId } from '@slotkeeper/core/driver'
import { memoryDriver } from '@slotkeeper/driver-memory'
import { expect, test } from 'vitest'
import { faultyDriver } from './faulty-driver.ts'

const holder = 'h' as HolderId
const unavailable = { code: 'SLOTKEEPER_STORE_UNAVAILABLE', retryable: true }

async function beats(driver: Driver): Promise<boolean> {
  return driver.heartbeat(holder) !== undefined
}

test('a synchronous driver stays synchronous, and fails where another would hang', async () => {
  const driver = faultyDriver(memoryDriver())
  expect(driver.manifest.synchronous).toBe(true)
  expect(driver.openHolder(holder, 60_000)).toMatchObject({ ttlMs: 60_000 })
  driver.hang({ calls: ['heartbeat'], times: 1 })
  expect(() => driver.heartbeat(holder)).toThrow(expect.objectContaining(unavailable))
  expect(await beats(driver)).toBe(true)
  expect(driver.called.heartbeat).toBe(2)
})

test('a call whose answer is lost has done its work', async () => {
  const inner = memoryDriver()
  const driver = faultyDriver(inner, { asynchronous: true })
  driver.loseAnswers({ calls: ['openHolder'], times: 1 })
  await expect(driver.openHolder(holder, 60_000)).rejects.toMatchObject(unavailable)
  expect(await beats(inner)).toBe(true)
})

test('after a crash nothing reaches the store, and what hangs ends with its signal', async () => {
  const inner = memoryDriver()
  const driver = faultyDriver(inner, { asynchronous: true })
  await driver.openHolder(holder, 60_000)
  driver.crash()
  const controller = new AbortController()
  const closing = driver.closeHolder(holder, controller.signal)
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(closing).rejects.toBe(reason)
  expect(await beats(inner)).toBe(true)
})

test('whatever hangs ends when the driver is closed', async () => {
  const driver = faultyDriver(memoryDriver(), { asynchronous: true })
  driver.hang()
  const calls = [driver.health(), driver.sweep(1)]
  await driver.close()
  for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'SLOTKEEPER_MANAGER_CLOSED' })
})

test('a watch can be muted and broken', async () => {
  const driver = faultyDriver(memoryDriver())
  const watching = driver.watch({ wants: () => true, signal: new AbortController().signal })
  const hints = watching[Symbol.asyncIterator]()
  expect(await hints.next()).toEqual({ done: false, value: { kind: 'resync' } })
  const next = hints.next()
  driver.breakWatches()
  await expect(next).rejects.toMatchObject(unavailable)
  await driver.close()
})
