import assert from 'node:assert/strict'
import { type Clock, isSlotkeeperError, systemClock } from '@slotkeeper/core'
import { API } from './commands.ts'
import { ask, grantedTo, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function deathRules(rule: Rule): void {
  rule(
    "8. a crashed process's worker slots come back, and its entries are gone; nobody has to ask for it",
    async (lab) => {
      const [mortal, b] = [await lab.mortal(), await lab.manager({ holderTtlMs: lab.ttlMs })]
      const dies = await grantedTo(mortal.manager, ask(repo(1), 'dies'))
      const [entry] = await lab.queue(mortal.manager, [ask(repo(1), 'dies-too')])
      const [waiting] = await lab.queue(b, [ask(repo(1), 'lives')])
      const wasHeld = dies.isHeld
      mortal.faults.crash()
      const slot = await lab.settles('the slot of the dead process comes to who waits', waiting.promise)
      // Where the machine stalled for a whole TTL, the living one may have lost its own.
      if (!slot.isHeld) return
      assert.deepEqual(await b.getQueuedPipelineRuns('acme/api'), [], 'its entry is gone')
      assert.deepEqual(
        (await b.getRunningPipelineRuns('acme/api')).map((one) => one.run),
        [run('lives')],
      )
      if (wasHeld) assert.equal(entry.slot, undefined)
    },
  )

  rule(
    '8. a dead controller is not a dead run: durable entries stay, durable slots are orphaned and still counted',
    async (lab) => {
      const [mortal, b] = [await lab.mortal(), await lab.witness()]
      const slot = await grantedTo(mortal.manager, ask(repo(2), 'runs', { durable: true }))
      await mortal.manager.queueManager.addListToRunningQueue(repo(2), [run('reserved'), run(1), run(2)])
      mortal.faults.crash()
      await lab.until(
        'the slot is orphaned',
        async () => (await b.getCurrentSlots('acme/api')).orphaned === 1,
      )
      const [orphan] = await b.getRunningPipelineRuns('acme/api')
      assert.deepEqual(
        [orphan?.run, orphan?.phase, orphan?.holder, orphan?.leaseId],
        [run('runs'), 'orphaned', undefined, slot.leaseId],
      )
      const { reserved, waiting } = await b.getCurrentSlots('acme/api')
      assert.deepEqual({ reserved, waiting }, { reserved: 1, waiting: 2 })
      assert.deepEqual(
        (await b.getQueuedPipelineRuns('acme/api')).map((entry) => entry.run),
        [run(1), run(2)],
      )
      assert.equal((await b.acquireSlot(ask(repo(2), 'other'))).kind, 'refused')
    },
  )

  rule(
    '8. an orphaned slot is adopted by one of those who try, with a new lease and a higher token; its number stays',
    async (lab) => {
      const [mortal, b, c] = [await lab.mortal(), await lab.witness(), await lab.manager()]
      const old = await grantedTo(mortal.manager, ask(repo(1), 1, { durable: true }))
      assert.equal((await b.adoptSlot(old)).kind, 'held-elsewhere', 'while its keeper lives')
      mortal.faults.crash()
      await lab.until(
        'the slot is orphaned',
        async () => (await b.getCurrentSlots('acme/api')).orphaned === 1,
      )
      assert.equal((await c.acquireSlot(ask(repo(1), 1))).kind, 'held-elsewhere', 'an acquire does not adopt')
      const outcomes = await Promise.all(
        [b, c].map((manager) => manager.adoptSlot({ repository: 'acme/api', run: run(1) })),
      )
      assert.deepEqual(outcomes.map((outcome) => outcome.kind).sort(), ['granted', 'held-elsewhere'])
      const slot = outcomes
        .map((outcome) => (outcome.kind === 'granted' ? outcome.slot : undefined))
        .find((one) => one !== undefined)
      assert.ok(slot?.isHeld === true && slot.phase === 'running')
      assert.ok(slot.fencingToken > old.fencingToken)
      assert.notEqual(slot.leaseId, old.leaseId)
      assert.equal(slot.slotNumber, old.slotNumber)
      const lost = await c.releaseSlot({ repository: 'acme/api', run: run(1), leaseId: old.leaseId })
      assert.deepEqual(lost, { kind: 'lost', reason: 'stale-lease' }, 'the old lease ends nothing')
      assert.equal((await slot.release()).kind, 'released')
    },
  )

  rule('8. an orphaned slot ends by finish, by release and by its lease TTL', async (lab) => {
    const [mortal, b, desk] = [await lab.mortal(), await lab.witness(), await lab.desk()]
    const brief = await lab.mortal({ leaseTtlMs: 50 })
    const kept = await grantedTo(mortal.manager, ask(repo(3), 'released', { durable: true }))
    await grantedTo(mortal.manager, ask(repo(3), 'finished', { durable: true }))
    await grantedTo(brief.manager, ask(repo(3), 'expires', { durable: true }))
    mortal.faults.crash()
    brief.faults.crash()
    await lab.until('all that lasts is orphaned', async () => {
      await desk.settle(API)
      const { running, orphaned } = await b.getCurrentSlots('acme/api')
      return running === 0 && orphaned === 2
    })
    assert.equal(await b.getPipelineRunState('acme/api', run('expires')), 'expired')
    assert.equal((await b.releaseSlot(kept)).kind, 'released')
    await b.queueManager.removeAndTakeItemFromQueue(repo(3), run('finished'))
    assert.equal((await b.getCurrentSlots('acme/api')).orphaned, 0)
    assert.equal((await b.adoptSlot({ repository: 'acme/api', run: run('finished') })).kind, 'refused')
  })

  rule('9. a holder that hears nothing knows before the store gives its slot away', async (lab) => {
    const [mortal, b] = [await lab.mortal(), await lab.witness()]
    const slot = await grantedTo(mortal.manager, ask(repo(1), 'silent'))
    const { signal } = slot
    const [waiting] = await lab.queue(b, [ask(repo(1), 'next')])
    mortal.faults.hang({ calls: ['heartbeat'] })
    mortal.faults.muteWatches()
    // Read in the same turn in which the other one has the slot: a stalled event loop cannot run an abort, but the clock is read.
    const held = await lab.settles(
      'the slot goes to the next',
      waiting.promise.then(() => slot.isHeld),
    )
    assert.equal(held, false)
    await lab.until('the signal aborts', () => signal.aborted)
    assert.ok(isSlotkeeperError(signal.reason, 'SLOTKEEPER_SLOT_LOST'))
    assert.throws(() => slot.assertHeld(), { code: 'SLOTKEEPER_SLOT_LOST' })
    assert.equal((await slot.release().catch((error) => ({ kind: error.code }))).kind === 'released', false)
    assert.deepEqual(
      (await b.getRunningPipelineRuns('acme/api')).map((one) => one.run),
      [run('next')],
    )
  })

  rule(
    '9. the deadline counts from when the heartbeat was sent, not from when its answer came',
    async (lab) => {
      const ttlMs = Math.max(lab.ttlMs, 1500)
      const { manager, faults } = await lab.faulty({ holderTtlMs: ttlMs })
      faults.delayAnswers(ttlMs / 4, { calls: ['openHolder', 'heartbeat'] })
      await grantedTo(manager, ask(repo(1), 1))
      const check = () => {
        const { holderRemainingMs } = manager.inspect()
        const most = ttlMs - ttlMs / 4
        assert.ok(
          holderRemainingMs <= most,
          `${holderRemainingMs} ms of ${ttlMs} are left, after an answer that took ${ttlMs / 4}`,
        )
      }
      check()
      await lab.until('two heartbeats were answered', async () => {
        check()
        // A machine that stalled lost the holder, and with its last slot the need to beat.
        if (manager.inspect().slots.length === 0) await manager.acquireSlot(ask(repo(0), 'again'))
        return faults.called.heartbeat > 2
      })
    },
  )

  rule(
    '9. after a suspension, and after a blocked event loop, a slot is known to be lost before anything else happens',
    async (lab) => {
      let suspendedMs = 0
      const clock: Clock = { ...systemClock, uptime: () => systemClock.uptime() + suspendedMs }
      const suspended = await grantedTo(await lab.manager({ clock }), ask(repo(2), 'suspended'))
      assert.equal(suspended.isHeld, true)
      suspendedMs = 31_000
      assert.equal(suspended.isHeld, false)
      assert.equal(suspended.signal.aborted, true)

      const blocked = await grantedTo(await lab.manager({ holderTtlMs: lab.ttlMs }), ask(repo(2), 'blocked'))
      const until = performance.now() + lab.ttlMs
      while (performance.now() < until);
      assert.equal(blocked.isHeld, false)
    },
  )

  rule('9. a Manager whose holder died opens another one, and works on', async (lab) => {
    const { manager, faults } = await lab.mortal()
    const slot = await grantedTo(manager, ask(repo(1), 1))
    const lost = manager.holder
    faults.hang({ calls: ['heartbeat'] })
    await lab.until('the slot is lost', () => !slot.isHeld)
    faults.heal()
    await lab.until(
      'the next run gets a slot',
      async () => (await manager.acquireSlot(ask(repo(1), 2))).kind === 'granted',
    )
    assert.notEqual(manager.holder, lost)
  })

  rule('9. a slot with maxHoldMs ends by store time, and its signal aborts before', async (lab) => {
    const [{ manager: a, faults }, b] = [await lab.faulty(), await lab.witness()]
    // Nobody tells it: it has to know by itself.
    faults.muteWatches()
    const slot = await grantedTo(a, ask(repo(1), 'long', { maxHoldMs: 300 }))
    const durable = await grantedTo(a, ask(repo(1, 'other'), 'long', { maxHoldMs: 300, durable: true }))
    const [waiting] = await lab.queue(b, [ask(repo(1), 'next')])
    const held = await lab.settles(
      'the next gets the slot',
      waiting.promise.then(() => slot.isHeld),
    )
    assert.equal(held, false)
    assert.equal(slot.signal.aborted, true)
    assert.deepEqual(await slot.release(), { kind: 'lost', reason: 'expired' })
    await lab.until(
      'the durable one ends as well',
      async () => (await b.getCurrentSlots('acme/other')).running === 0,
    )
    assert.equal(durable.isHeld, false)
    assert.equal(await b.getPipelineRunState('acme/api', run('long')), 'expired')
  })
}
