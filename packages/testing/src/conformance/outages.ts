import assert from 'node:assert/strict'
import { isSlotkeeperError } from '@slotkeeper/core'
import { ask, grantedTo, HASTY_MS, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function outageRules(rule: Rule): void {
  rule(
    '10. while the store does not answer, every call fails within its timeout, retryable, and nothing is granted',
    async (lab) => {
      const { manager, faults } = await lab.faulty({ callTimeoutMs: HASTY_MS })
      const b = await lab.manager()
      const slot = await grantedTo(manager, ask(repo(2), 'before'))
      for (const put of ['hang', 'fail'] as const) {
        faults[put]()
        const calls: Record<string, () => Promise<unknown>> = {
          acquireSlot: () => manager.acquireSlot(ask(repo(2), put)),
          waitForSlot: () => manager.waitForSlot(ask(repo(2), `${put}-wait`)),
          releaseSlot: () => manager.releaseSlot(slot),
          adoptSlot: () => manager.adoptSlot(slot),
          getCurrentSlots: () => manager.getCurrentSlots('acme/api'),
          getQueuedPipelineRuns: () => manager.getQueuedPipelineRuns('acme/api'),
          getPipelineRunState: () => manager.getPipelineRunState('acme/api', run(1)),
          setPipelineRunState: () => manager.setPipelineRunState('acme/api', run(1), 'queued'),
          setRepositoryState: () => manager.setRepositoryState('acme/api', 'paused'),
          addListToRunningQueue: () => manager.queueManager.addListToRunningQueue(repo(2), [run(1)]),
          removeAndTakeItemFromQueue: () => manager.queueManager.removeAndTakeItemFromQueue(repo(2), run(1)),
          cleanupRepository: () => manager.cleanupRepository('acme/api'),
          explain: () => manager.explain('acme/api', run(1)),
          health: () => manager.health(),
        }
        await Promise.all(
          Object.entries(calls).map(async ([name, call]) => {
            const error = await lab.settles(
              `${name} gives up`,
              call().then(
                () => undefined,
                (reason: unknown) => reason,
              ),
            )
            assert.ok(isSlotkeeperError(error), `${name} while calls ${put}: ${String(error)}`)
            assert.equal(error.retryable, true, `${name} while calls ${put}: ${error.code} is not retryable`)
          }),
        )
        faults.heal()
      }
      await lab.until('nothing is left of calls that failed', async () => {
        const runs = (await b.getRunningPipelineRuns('acme/api')).map((one) => one.run)
        return (
          runs.every((name) => name === run('before')) && (await b.getCurrentSlots('acme/api')).waiting === 0
        )
      })
    },
  )

  rule('10. a call ends with its own timeout and with its signal', async (lab) => {
    const { manager, faults } = await lab.faulty()
    faults.hang()
    await assert.rejects(
      lab.settles('it gives up', manager.acquireSlot(ask(repo(1), 1, { timeoutMs: 30 }))),
      { code: 'SLOTKEEPER_CALL_TIMEOUT', retryable: true },
    )
    await assert.rejects(lab.settles('it gives up', manager.getCurrentSlots('acme/api', { timeoutMs: 30 })), {
      code: 'SLOTKEEPER_CALL_TIMEOUT',
    })
    const controller = new AbortController()
    const reason = new Error('never mind')
    const calls = [
      manager.acquireSlot(ask(repo(1), 2, { signal: controller.signal })),
      manager.getCurrentSlots('acme/api', { signal: controller.signal }),
    ]
    const ended = Promise.allSettled(calls)
    controller.abort(reason)
    for (const result of await lab.settles('they end', ended))
      assert.equal(result.status === 'rejected' && result.reason, reason)
  })

  rule('10. after an outage everything goes on by itself, and waiters keep their places', async (lab) => {
    const b = await lab.manager()
    const { manager, faults } = await lab.faulty(
      { callTimeoutMs: HASTY_MS },
      { manifest: { backstopMs: 200 } },
    )
    let slot = await grantedTo(b, ask(repo(1), 'first'))
    const waiting = await lab.queue(manager, [ask(repo(1), 0), ask(repo(1), 1)])
    const [behind] = await lab.queue(b, [ask(repo(1), 2)])
    faults.fail()
    faults.breakWatches()
    assert.deepEqual(
      await slot.release(),
      { kind: 'released', promoted: [run(0)] },
      'while it was away, its run got the slot',
    )
    await lab.until('it has tried to watch again', () => faults.called.watch > 1)
    assert.equal(waiting[0]?.slot, undefined)
    faults.heal()
    for (const one of [...waiting, behind]) {
      slot = await lab.settles('who waited is granted, in order', one.promise)
      assert.equal((await b.getCurrentSlots('acme/api')).running, 1)
      await slot.release()
    }
  })

  rule(
    '10. after an outage longer than the TTL waiters have another holder, and keep their places',
    async (lab) => {
      const [b, desk] = [await lab.manager(), await lab.desk()]
      const { manager, faults } = await lab.faulty(
        { holderTtlMs: lab.ttlMs, callTimeoutMs: HASTY_MS },
        { manifest: { backstopMs: 200 } },
      )
      const slot = await grantedTo(b, ask(repo(1), 'first'))
      const [waiting] = await lab.queue(manager, [ask(repo(1), 1)])
      const lost = manager.holder
      faults.fail()
      await lab.until('its holder is dead and its entry was settled', async () => {
        await desk.settle('acme/api')
        return manager.holder !== lost && (await desk.row('acme/api', run(1)))?.phase === 'record'
      })
      assert.equal(waiting.error, undefined, 'it waits on')
      await lab.queue(b, [ask(repo(1), 2)])
      faults.heal()
      await lab.until(
        'it waits in the store again',
        async () => (await b.getCurrentSlots('acme/api')).waiting === 2,
      )
      assert.deepEqual(
        (await b.getQueuedPipelineRuns('acme/api')).map((entry) => entry.run),
        [run(1), run(2)],
      )
      await slot.release()
      await lab.settles('it is granted first', waiting.promise)
    },
  )

  rule(
    '10. hints are only hints: a waiter whose watch tells nothing looks for itself now and then',
    async (lab) => {
      const a = await lab.manager()
      const { manager, faults } = await lab.faulty(
        { holderTtlMs: 10 * lab.ttlMs },
        { manifest: { backstopMs: 100 } },
      )
      const slot = await grantedTo(a, ask(repo(1), 'first'))
      const [worker] = await lab.queue(manager, [ask(repo(1), 1)])
      const [durable] = await lab.queue(manager, [ask(repo(1), 2, { durable: true })])
      faults.muteWatches()
      await slot.release()
      const next = await lab.settles('the worker is granted', worker.promise)
      await a.releaseSlot(next)
      await lab.settles('the durable waiter is granted', durable.promise)
      await lab.until('the loss of a slot that somebody else released is noticed', () => !next.isHeld)
    },
  )

  rule('10. a watch that breaks begins again by itself', async (lab) => {
    const a = await lab.manager()
    const { manager, faults } = await lab.faulty()
    const told: string[] = []
    manager.queueManager.setupWatcher('acme/api', (event) => told.push(`${event.kind} ${event.run}`))
    for (let n = 0; n < 2; n++) {
      await lab.until('events arrive', async () => {
        await (await grantedTo(a, ask(repo(1), n))).release()
        return told.includes(`released ${run(n)}`)
      })
      const resyncs = told.filter((event) => event.startsWith('resync')).length
      faults.breakWatches()
      await lab.until(
        'a resync says that some may be missed',
        () => told.filter((event) => event.startsWith('resync')).length > resyncs,
      )
    }
  })
}
