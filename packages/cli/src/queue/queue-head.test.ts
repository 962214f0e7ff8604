import { Manager, repository } from '@slotkeeper/core'
import { memoryDriver } from '@slotkeeper/driver-memory'
import { expect, test } from 'vitest'
import { readQueue } from './queue-head.ts'

test('of a long queue no more is read than is shown, and the rest is counted', async () => {
  const driver = memoryDriver()
  await using manager = new Manager({ driver })
  const repo = repository('acme/api', { concurrencyLimit: 1 })
  const runs = Array.from({ length: 3000 }, (_, index) => ({ run: `acme/r${index}` }) as const)
  await manager.queueManager.addToPendingQueue(repo, runs)

  const asked: number[] = []
  const read = driver.read.bind(driver)
  driver.read = (query, signal) => {
    if (query.kind === 'repository') asked.push(query.waiting)
    return read(query, signal)
  }
  const head = await readQueue(manager, 'memory:', 'acme/api', 20)
  expect(Math.max(...asked)).toBe(20)
  expect(head).toMatchObject({ waiting: 2999, more: 2979 })
  expect(head.queue.map(({ run, place }) => [run, place]).slice(0, 2)).toEqual([
    ['acme/r1', 1],
    ['acme/r2', 2],
  ])
  expect(head.queue).toHaveLength(20)
  expect(await readQueue(manager, 'memory:', 'acme/api', 2999)).toMatchObject({ more: 0 })
})
