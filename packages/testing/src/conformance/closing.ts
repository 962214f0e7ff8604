import assert from 'node:assert/strict'
import { type Clock, isSlotkeeperError, type ManagerOptions, systemClock } from '@slotkeeper/core'
import { ask, grantedTo, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function closingRules(rule: Rule): void {
  rule(
    '11. close ends every wait and every later call with ManagerClosedError, and takes entries along',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      await grantedTo(a, ask(repo(1), 'first'))
      const waiting = await lab.queue(b, [ask(repo(1), 1), ask(repo(1), 2)])
      const iteration = b.watchSlotAvailability('acme/api')[Symbol.asyncIterator]()
      await iteration.next()
      const idle = (async () => {
        while ((await iteration.next()).done !== true);
      })()
      await lab.settles('it closes', b.close())
      for (const one of waiting) {
        await lab.until('the wait ended', () => one.error !== undefined)
        assert.ok(isSlotkeeperError(one.error, 'SLOTKEEPER_MANAGER_CLOSED'))
      }
      await lab.settles('the iteration ended', idle)
      const closed = { code: 'SLOTKEEPER_MANAGER_CLOSED' }
      await assert.rejects(b.acquireSlot(ask(repo(1), 3)), closed)
      await assert.rejects(b.waitForSlot(ask(repo(1), 3)), closed)
      await assert.rejects(b.getCurrentSlots('acme/api'), closed)
      await assert.rejects(b.queueManager.addListToRunningQueue(repo(1), [run(3)]), closed)
      assert.throws(() => b.queueManager.setupWatcher('acme/api', () => {}), closed)
      assert.equal((await a.getCurrentSlots('acme/api')).waiting, 0, 'no entry is left')
      assert.equal((await a.getCurrentSlots('acme/api')).running, 1)
      await b.close()
    },
  )

  rule(
    '11. close aborts unfinished work at once; its slot is not freed under it, but runs out',
    async (lab) => {
      const [a, b, c] = [
        await lab.manager({ holderTtlMs: Math.max(lab.ttlMs, 500) }),
        await lab.witness(),
        await lab.manager(),
      ]
      const slot = await grantedTo(a, ask(repo(1), 'works'))
      const { signal } = slot
      let aborted = false
      const work = a.withSlot(ask(repo(1, 'other'), 'works'), async (held) => {
        await new Promise((resolve) => held.signal.addEventListener('abort', resolve, { once: true }))
        aborted = true
      })
      await lab.until('the work has begun', async () => (await b.getCurrentSlots('acme/other')).running === 1)
      const before = await c.getRunningPipelineRuns('acme/api')
      await lab.settles('it closes', a.close())
      await lab.settles('the work ends', work)
      assert.deepEqual([signal.aborted, aborted, slot.isHeld], [true, true, false])
      const outcome = await b.acquireSlot(ask(repo(1), 'next'))
      const after = await c.getRunningPipelineRuns('acme/api')
      // Only a machine that stalled for the whole TTL may have seen it run out by now.
      const stillGood = (before[0]?.expiresAt.getTime() ?? 0) > Date.now()
      if (stillGood)
        assert.deepEqual([outcome.kind, after.map((one) => one.run)], ['refused', [run('works')]])
      await lab.until(
        'the slot has run out',
        async () => (await b.acquireSlot(ask(repo(1), 'next'))).kind === 'granted',
      )
    },
  )

  rule(
    '11. close with no worker slot left closes the holder: durable slots are orphaned at once',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      await grantedTo(a, ask(repo(2), 'durable', { durable: true }))
      await (await grantedTo(a, ask(repo(2), 'worker'))).release()
      await a.close()
      await lab.until(
        'the durable slot is an orphan',
        async () => (await b.getCurrentSlots('acme/api')).orphaned === 1,
      )
      assert.equal((await b.adoptSlot({ repository: 'acme/api', run: run('durable') })).kind, 'granted')
    },
  )

  rule('11. close waits for held slots as long as it is told', async (lab) => {
    const [a, b] = await lab.managers(2)
    const slot = await grantedTo(a, ask(repo(1), 1))
    let closed = false
    const closing = a.close({ waitForSlotsMs: 15_000 }).then(() => {
      closed = true
    })
    await assert.rejects(a.acquireSlot(ask(repo(1), 2)), { code: 'SLOTKEEPER_MANAGER_CLOSED' })
    assert.equal((await b.getCurrentSlots('acme/api')).running, 1)
    assert.deepEqual([closed, slot.isHeld], [false, true])
    assert.equal((await slot.release()).kind, 'released')
    await lab.settles('it closes', closing)
    assert.equal((await b.getCurrentSlots('acme/api')).running, 0)
    const other = await lab.manager()
    await grantedTo(other, ask(repo(1), 3))
    await lab.settles('it closes although nobody released', other.close({ waitForSlotsMs: 10 }))
  })

  rule('11. a closed Manager leaves no timer and nothing that keeps the process alive', async (lab) => {
    const counting = new CountingClock()
    const options: Omit<ManagerOptions, 'driver'> = { clock: counting.clock }
    const a = await lab.manager(options)
    const b = await lab.manager()
    const first = await grantedTo(b, ask(repo(1), 'first'))
    await lab.queue(a, [ask(repo(1), 1, { timeoutMs: 600_000 }), ask(repo(1), 2, { durable: true })])
    const held = await grantedTo(a, ask(repo(1, 'other'), 1, { maxHoldMs: 600_000 }))
    a.queueManager.setupWatcher('acme/api', () => {})
    void a.watchSlotAvailability('acme/api')[Symbol.asyncIterator]().next()
    assert.equal(held.isHeld, true)
    await a.close()
    assert.equal(counting.open.size, 0, `left behind: ${[...counting.open.values()].join(', ')}`)
    await first.release()
  })

  rule('11. drivers that are closed leave no timers, sockets or watches', async (lab) => {
    await (await lab.desk()).driver.close()
    const before = resources()
    for (let n = 0; n < 12; n++) {
      const manager = await lab.manager()
      await (await grantedTo(manager, ask(repo(1), n))).release()
      manager.queueManager.setupWatcher('acme/api', () => {})
      await manager.close()
    }
    await lab.until(
      `what was opened is closed (${resources() - before} more are open)`,
      () => resources() < before + 6,
    )
  })
}

/** How many things keep this process alive. */
function resources(): number {
  return process.getActiveResourcesInfo().length
}

/** The system's clock, which knows what was scheduled and neither rang nor was cancelled. */
class CountingClock {
  readonly open = new Map<object, string>()
  readonly clock: Clock = {
    ...systemClock,
    schedule: (ring, ms) => {
      const key = {}
      this.open.set(key, `a timer of ${Math.round(ms)} ms`)
      const cancel = systemClock.schedule(() => {
        this.open.delete(key)
        ring()
      }, ms)
      return () => {
        this.open.delete(key)
        cancel()
      }
    },
    keepAlive: () => {
      const key = {}
      this.open.set(key, 'a keepAlive')
      const cancel = systemClock.keepAlive()
      return () => {
        this.open.delete(key)
        cancel()
      }
    },
  }
}
