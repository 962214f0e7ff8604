import { Manager, repository } from '@slotkeeper/core'
import type { DomainBatch } from '@slotkeeper/core/driver'
import { memoryDriver } from '@slotkeeper/driver-memory'
import { fakeClock, faultyDriver } from '@slotkeeper/testing'
import { describe, expect, test } from 'vitest'

const API = repository('acme/api', { concurrencyLimit: 1 })
const BUDGET = 16

/** A Manager on a store behind a network, and what each call to decide carries before it goes on its way. */
function scene(sending: (call: number, batch: readonly DomainBatch[]) => void) {
  const clock = fakeClock()
  const driver = faultyDriver(memoryDriver({ clock }), {
    asynchronous: true,
    manifest: { budget: BUDGET, backstopMs: Number.POSITIVE_INFINITY },
  })
  const transact = driver.transact.bind(driver)
  let calls = 0
  driver.transact = (batch, decide, signal) => {
    sending(calls++, batch)
    return transact(batch, decide, signal)
  }
  const manager = new Manager({ driver, clock })
  return { clock, driver, manager }
}

describe('a list is queued in the declared order', () => {
  const runs = Array.from({ length: 3 * BUDGET }, (_, n) => `acme/${n}` as const)

  for (const fault of ['fail', 'loseAnswers'] as const)
    for (const failing of [0, 1, 2, 3])
      test(`although call ${failing} to the store ${fault === 'fail' ? 'fails' : 'has its answer lost'}`, async () => {
        const { clock, driver, manager } = scene((call) => {
          if (call === failing) driver[fault]({ calls: ['transact'], times: 1 })
        })
        let settled = false
        const queued = manager.queueManager.addListToRunningQueue(API, runs).finally(() => {
          settled = true
        })
        while (!settled) await clock.advance(1000)
        expect((await queued).map(({ kind }) => kind)).toEqual([
          'reserved',
          ...Array(runs.length - 1).fill('waiting'),
        ])
        const waiting = await manager.getQueuedPipelineRuns('acme/api')
        expect(waiting.map(({ run }) => run)).toEqual(runs.slice(1))
        const closed = manager.close()
        await clock.advance(60_000)
        await closed
      })

  test('and when a part of it fails for good, nothing after that part is queued', async () => {
    const { clock, driver, manager } = scene((call) => {
      if (call === 1) driver.fail({ calls: ['transact'] })
    })
    let failure: unknown
    const queued = manager.queueManager.addListToRunningQueue(API, runs).catch((error: unknown) => {
      failure = error
    })
    while (failure === undefined) await clock.advance(1000)
    await queued
    expect(failure).toMatchObject({ retryable: true })
    driver.heal()
    const waiting = await manager.getQueuedPipelineRuns('acme/api')
    expect(waiting.map(({ run }) => run)).toEqual(runs.slice(1, BUDGET))
    const closed = manager.close()
    await clock.advance(60_000)
    await closed
  })
})
