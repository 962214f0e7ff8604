import { Manager, repository } from '@slotkeeper/core'
import { memoryDriver } from '@slotkeeper/driver-memory'
import { test } from 'vitest'
import { faultyDriver } from './faults/faulty-driver.ts'
test('two durable waits of one tick', async () => {
  const m = new Manager({ driver: faultyDriver(memoryDriver(), { asynchronous: true }) })
  const repo = repository('acme/api', { concurrencyLimit: 2 })
  const slots = await Promise.all([1, 2].map((n) => m.waitForSlot({ repository: repo, run: `acme/${n}`, durable: true })))
  console.log(slots.map((s) => [s.phase, s.isHeld, s.holder]))
  await m.close()
})
