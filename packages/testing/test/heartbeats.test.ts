import { Manager, repository } from '@slotkeeper/core'
import { memoryDriver } from '@slotkeeper/driver-memory'
import { expect, onTestFinished, test } from 'vitest'
import { recordingLogger } from '../src/fakes/recording-logger.ts'
import { faultyDriver } from '../src/faults/faulty-driver.ts'

test('9. a heartbeat without an answer is given up in time for another one, and costs no slot', async () => {
  const inner = memoryDriver()
  const signals: (AbortSignal | undefined)[] = []
  const driver = faultyDriver(inner, { asynchronous: true })
  const heartbeat = driver.heartbeat.bind(driver)
  driver.heartbeat = (holder, signal) => {
    signals.push(signal)
    return heartbeat(holder, signal)
  }
  const logger = recordingLogger()
  const manager = new Manager({ driver, logger, holderTtlMs: 3000 })
  onTestFinished(() => manager.close())
  const slot = await manager.waitForSlot({
    repository: repository('acme/hot', { concurrencyLimit: 1 }),
    run: 'acme/run',
  })
  driver.hang({ calls: ['heartbeat'], times: 1 })
  await expect.poll(() => driver.called.heartbeat, { timeout: 15_000 }).toBeGreaterThan(2)
  expect(slot.isHeld).toBe(true)
  expect(logger.find('heartbeat-failed', { failures: 1 })).toBeDefined()
  expect(signals.map((signal) => signal?.aborted)).toEqual([true, ...signals.slice(1).map(() => false)])
})
