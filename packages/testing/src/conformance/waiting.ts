import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { API, acquire, enqueue, release, repositoryState, withdraw } from './commands.ts'
import { ask, grantedTo, HASTY_MS, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function waitingRules(rule: Rule): void {
  rule('7. a release in another process wakes who waits, by the notification alone', async (lab) => {
    const a = await lab.manager()
    const manifest = lab.manifest.wakes === 'push' ? { backstopMs: Number.POSITIVE_INFINITY } : {}
    const b = await lab.faulty({}, { manifest })
    for (let n = 0; n < 5; n++) {
      const slot = await grantedTo(a, ask(repo(1), `a-${n}`))
      const [waiting] = await lab.queue(b.manager, [ask(repo(1), `b-${n}`)])
      const writes = b.faults.called.transact
      await slot.release()
      const next = await lab.settles('the waiting one is granted', waiting.promise)
      assert.equal(
        b.faults.called.transact,
        writes,
        'the grant was written by the release: who waited writes nothing',
      )
      await next.release()
    }
  })

  rule('7. within one process a release wakes the next one with one write, and nobody reads', async (lab) => {
    const { manager, faults } = await lab.faulty()
    let slot = await grantedTo(manager, ask(repo(1), 'first'))
    const waitings = await lab.queue(
      manager,
      [0, 1, 2, 3].map((n) => ask(repo(1), n)),
    )
    await lab.until('the watch has begun', () => faults.called.watch > 0)
    for (const waiting of waitings) {
      const { transact, read } = faults.called
      await slot.release()
      slot = await lab.settles('the next is granted', waiting.promise)
      assert.deepEqual(
        [faults.called.transact - transact, faults.called.read - read],
        [1, 0],
        'writes and reads of one hand-over',
      )
    }
  })

  rule('7. a durable waiter gets its reservation and claims it, wherever the slot was freed', async (lab) => {
    const [a, b] = await lab.managers(2)
    const slot = await grantedTo(a, ask(repo(1), 'first'))
    const [waiting] = await lab.queue(b, [ask(repo(1), 1, { durable: true })])
    assert.deepEqual(await slot.release(), { kind: 'released', promoted: [run(1)] })
    const next = await lab.settles('the durable waiter is granted', waiting.promise)
    assert.deepEqual([next.phase, next.isHeld, next.durable], ['running', true, true])
  })

  rule('7. withSlot frees the slot whatever the work does', async (lab) => {
    const manager = await lab.manager()
    assert.equal(await manager.withSlot(ask(repo(1), 1), async (slot) => slot.isHeld), true)
    assert.equal(await manager.getPipelineRunState('acme/api', run(1)), 'completed')
    await assert.rejects(
      manager.withSlot(ask(repo(1), 2), () => Promise.reject(new Error('work failed'))),
      { message: 'work failed' },
    )
    assert.equal(await manager.getPipelineRunState('acme/api', run(2)), 'failed')
    {
      await using slot = await manager.waitForSlot(ask(repo(1), 3))
      assert.equal(slot.isHeld, true)
    }
    assert.equal((await manager.getCurrentSlots('acme/api')).running, 0)
  })

  rule(
    'withdrawal: a wait that is aborted or times out leaves nothing behind, neither in the store nor at the signal',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      const slot = await grantedTo(a, ask(repo(1), 'first'))
      const controller = new AbortController()
      const [aborted] = await lab.queue(b, [ask(repo(1), 'aborted', { signal: controller.signal })])
      const [durable] = await lab.queue(b, [
        ask(repo(1), 'durable', { signal: controller.signal, durable: true }),
      ])
      await lab.queue(b, [ask(repo(1), 'stays')])
      const reason = new Error('changed my mind')
      controller.abort(reason)
      for (const one of [aborted, durable]) await assert.rejects(one.promise, (error) => error === reason)
      await assert.rejects(b.waitForSlot(ask(repo(1), 'late', { timeoutMs: 20 })), {
        code: 'SLOTKEEPER_WAIT_TIMEOUT',
      })
      await assert.rejects(
        b.waitForSlot(ask(repo(1), 'never', { signal: controller.signal })),
        (error) => error === reason,
      )
      await lab.until('only one waits', async () => (await a.getCurrentSlots('acme/api')).waiting === 1)
      assert.deepEqual(getEventListeners(controller.signal, 'abort'), [])
      assert.deepEqual(await slot.release(), { kind: 'released', promoted: [run('stays')] })
      assert.equal(
        await a.getPipelineRunState('acme/api', run('aborted')),
        undefined,
        'as if it had never been',
      )
    },
  )

  rule('withdrawal: an abort that crosses the grant on its way leaves no slot taken', async (lab) => {
    const [a, b] = await lab.managers(2)
    for (let n = 0; n < 8; n++) {
      const slot = await grantedTo(a, ask(repo(1), `a-${n}`))
      const controller = new AbortController()
      const [waiting] = await lab.queue(b, [ask(repo(1), `b-${n}`, { signal: controller.signal })])
      const released = slot.release()
      if (n % 2 === 0) await released
      controller.abort(new Error('crossed'))
      await released
      const got = await waiting.promise.catch(() => undefined)
      await got?.release()
      await lab.until('the slot is free', async () => (await a.getCurrentSlots('acme/api')).running === 0)
    }
  })

  rule('withdrawal: it ends what its own ticket led to, and never what a newer one did', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const holder = await desk.holder()
    const old = acquire({ run: run(1), ticket: desk.ticket(), holder, mode: 'wait' })
    const first = await desk.send(old)
    assert.ok(first.kind === 'granted')
    await desk.send(release({ run: run(1), token: first.row.token, ticket: desk.ticket() }))
    const newer = acquire({ run: run(1), ticket: desk.ticket(), holder, mode: 'wait' })
    assert.equal((await desk.send(newer)).kind, 'granted')
    assert.deepEqual(await other.send(withdraw({ run: run(1), of: old.ticket, ticket: desk.ticket() })), {
      kind: 'absent',
    })
    assert.equal((await desk.row(API, run(1)))?.phase, 'running')
    const entry = acquire({ run: run(2), ticket: desk.ticket(), holder, mode: 'wait' })
    assert.equal((await desk.send(entry)).kind, 'waiting')
    const over = acquire({ run: run(2), ticket: desk.ticket(), holder, mode: 'wait' })
    assert.equal((await desk.send(over)).kind, 'waiting')
    assert.deepEqual(await other.send(withdraw({ run: run(2), of: entry.ticket, ticket: desk.ticket() })), {
      kind: 'absent',
    })
    assert.equal((await desk.row(API, run(2)))?.phase, 'waiting')
    for (const ended of [over.ticket, newer.ticket]) {
      const name = ended === newer.ticket ? run(1) : run(2)
      assert.deepEqual(await other.send(withdraw({ run: name, of: ended, ticket: desk.ticket() })), {
        kind: 'withdrawn',
      })
    }
    const { runs } = await desk.read(API)
    assert.deepEqual(runs, [])
  })

  rule('withdrawal: a call that arrives after its own withdrawal takes nothing', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const holder = await desk.holder()
    await desk.send(acquire({ run: run(0), ticket: desk.ticket(), holder, proposal: { limit: 5 } }))
    for (const mode of ['try', 'wait'] as const) {
      const late = acquire({ run: run(mode), ticket: desk.ticket(), holder, mode, proposal: { limit: 5 } })
      assert.deepEqual(
        await other.send(withdraw({ run: run(mode), of: late.ticket, ticket: desk.ticket() })),
        { kind: 'absent' },
      )
      assert.equal((await desk.send(late)).kind, 'refused')
    }
    assert.equal((await desk.repository(API))?.live, 1)
  })

  rule(
    'withdrawal: a durable slot whose run may have been started is orphaned, and a reservation is given back',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const holder = await desk.holder()
      const proposal = { limit: 2 }
      const started = acquire({
        run: run(1),
        ticket: desk.ticket(),
        holder,
        mode: 'wait',
        durable: true,
        proposal,
      })
      assert.equal((await desk.send(started)).kind, 'granted')
      const orphaning = withdraw({ run: run(1), of: started.ticket, orphan: true, ticket: desk.ticket() })
      for (const sender of [desk, other]) await sender.send({ ...orphaning })
      assert.equal((await other.row(API, run(1)))?.phase, 'orphaned')
      const listed = enqueue({ run: run(2), ticket: desk.ticket(), proposal })
      const before = await desk.send(listed)
      const taken = acquire({
        run: run(2),
        ticket: desk.ticket(),
        holder,
        mode: 'wait',
        durable: true,
        proposal,
      })
      assert.equal((await desk.send(taken)).kind, 'granted')
      await desk.send(repositoryState({ ticket: desk.ticket(), state: 'paused' }))
      await other.send(withdraw({ run: run(2), of: taken.ticket, ticket: desk.ticket() }))
      const after = await other.row(API, run(2))
      assert.deepEqual(
        [before.kind, after?.phase],
        ['granted', 'waiting'],
        'the entry of the list is not lost',
      )
      assert.deepEqual((await desk.repository(API))?.live, 1)
    },
  )

  rule('withdrawal: durable enqueues are never withdrawn: the caller repeats them', async (lab) => {
    const { manager, faults } = await lab.faulty({ callTimeoutMs: HASTY_MS })
    const b = await lab.manager()
    await b.setRepositoryState('acme/api', 'paused')
    faults.loseAnswers({ calls: ['transact'] })
    const listed = manager.queueManager.addListToRunningQueue(repo(1), [run(1), run(2)])
    await assert.rejects(listed, (error) => (error as { retryable?: boolean }).retryable === true)
    faults.heal()
    assert.deepEqual(
      (await b.getQueuedPipelineRuns('acme/api')).map((entry) => entry.run),
      [run(1), run(2)],
    )
    const again = await manager.queueManager.addListToRunningQueue(repo(1), [run(1), run(2)])
    assert.deepEqual(
      again.map((outcome) => outcome.kind),
      ['waiting', 'waiting'],
    )
    assert.equal((await b.getCurrentSlots('acme/api')).waiting, 2)
  })
}
