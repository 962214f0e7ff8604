import assert from 'node:assert/strict'
import type { RunState } from '@slotkeeper/core'
import { API, acquire, release } from './commands.ts'
import { ask, grantedTo, isQueued, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

const ENDS = ['completed', 'failed', 'cancelled', 'expired'] as const

export function stateRules(rule: Rule): void {
  rule(
    '5. no run is lost: what was enqueued waits, however often and by whom it is asked for again, until it is granted',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      const runs = [0, 1, 2, 3, 4].map(run)
      const counts = async () => {
        const { reserved, waiting } = await a.getCurrentSlots('acme/api')
        return [reserved, waiting]
      }
      for (const manager of [a, b, a]) {
        await manager.queueManager.addListToRunningQueue(repo(1), runs)
        assert.deepEqual(await counts(), [1, 4])
      }
      for (const [n, name] of runs.entries()) {
        assert.equal(await b.getPipelineRunState('acme/api', name), 'queued')
        await b.queueManager.addListToRunningQueue(repo(1), [name])
        const next = await a.queueManager.removeAndTakeItemFromQueue(repo(1), name)
        assert.equal(next?.run, runs[n + 1], 'the next one gets the place')
        assert.deepEqual(await counts(), n < 4 ? [1, 3 - n] : [0, 0])
      }
    },
  )

  rule(
    '5. setting a state never frees a slot, never takes one, and never moves a run out of the queue',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      const slot = await grantedTo(a, ask(repo(1), 1))
      const [waiting] = await lab.queue(b, [ask(repo(1), 2)])
      for (const state of ['queued', 'started', 'completed', 'queued'] as const) {
        await b.setPipelineRunState('acme/api', run(1), state)
        await b.setPipelineRunState('acme/api', run(2), state)
        await b.setPipelineRunState('acme/api', run(3), state)
        const { running, waiting: entries } = await a.getCurrentSlots('acme/api')
        assert.deepEqual({ running, entries }, { running: 1, entries: 1 }, `after setting ${state}`)
      }
      assert.equal(slot.isHeld, true)
      assert.equal(await isQueued(a, repo(1), run(3)), false, 'a state does not enqueue')
      assert.deepEqual(await slot.release(), { kind: 'released', promoted: [run(2)] })
      await lab.settles('the waiting run is granted', waiting.promise)
    },
  )

  rule(
    '5. no run is lost: what was enqueued is granted in its turn, although everybody who enqueued it died',
    async (lab) => {
      const mortals = [await lab.mortal(), await lab.mortal()]
      const b = await lab.manager()
      const names: string[] = []
      for (let n = 0; n < 20; n++) {
        const { manager } = mortals[n % 2] as (typeof mortals)[0]
        await manager.queueManager.addListToRunningQueue(repo(1), [run(n)])
        names.push(run(n))
      }
      for (const { faults } of mortals) faults.crash()
      const took: string[] = []
      for (
        let next = await lab.until(
          'the first is reserved',
          async () => (await b.getRunningPipelineRuns('acme/api'))[0],
        );
        ;
      ) {
        took.push(next.run)
        const slot = await b.queueManager.removeAndTakeItemFromQueue(repo(1), next.run)
        if (slot === undefined) break
        next = slot
      }
      assert.deepEqual(took, names, 'each once, in order')
      const { running, reserved, waiting } = await b.getCurrentSlots('acme/api')
      assert.deepEqual({ running, reserved, waiting }, { running: 0, reserved: 0, waiting: 0 })
    },
  )

  rule('6. a state never goes backwards within an attempt, and its end is final', async (lab) => {
    const [a, b] = await lab.managers(2)
    const order: readonly RunState[] = ['queued', 'started']
    for (const [n, end] of ENDS.entries()) {
      const set = (manager: typeof a, state: RunState) =>
        manager.setPipelineRunState('acme/api', run(n), state)
      for (const [at, state] of order.entries()) {
        assert.equal(await set(a, state), state)
        for (const earlier of order.slice(0, at))
          assert.equal(await set(b, earlier), state, `${earlier} after ${state}`)
      }
      assert.equal(await set(b, end), end)
      for (const late of [...order, ...ENDS]) assert.equal(await set(a, late), end, `${late} after ${end}`)
      assert.equal(await b.getPipelineRunState('acme/api', run(n)), end)
    }
  })

  rule('6. an unknown state is undefined', async (lab) => {
    const [a, b] = await lab.managers(2)
    assert.equal(await a.getPipelineRunState('acme/api', run(1)), undefined)
    await b.setPipelineRunState('acme/api', run(2), 'queued')
    assert.equal(await a.getPipelineRunState('acme/api', run(1)), undefined)
    assert.equal(await a.stateManager.isQueued('acme/api', run(1)), false)
    assert.equal((await a.explain('acme/api', run(1))).kind, 'unknown')
  })

  rule('6. states follow what happens to the run', async (lab) => {
    const [a, b] = await lab.managers(2)
    const state = (n: number) => b.getPipelineRunState('acme/api', run(n))
    const slot = await grantedTo(a, ask(repo(1), 1))
    assert.equal(await state(1), 'started')
    await a.queueManager.addListToRunningQueue(repo(1), [run(2), run(3), run(4)])
    assert.equal(await state(2), 'queued')
    await slot.release({ state: 'failed' })
    assert.equal(await state(1), 'failed')
    assert.equal(await state(2), 'queued', 'a reservation has not started')
    const claimed = await grantedTo(b, ask(repo(1), 2, { durable: true }))
    assert.equal(await state(2), 'started')
    await a.queueManager.removeFromQueue('acme/api', run(4))
    assert.equal(await state(4), 'cancelled')
    await claimed.release()
    assert.equal(await state(2), 'completed')
    await a.queueManager.removeAndTakeItemFromQueue(repo(1), run(3), { state: 'cancelled' })
    assert.equal(await state(3), 'cancelled')
  })

  rule('6. a late message does not queue a finished attempt again', async (lab) => {
    const [a, b] = await lab.managers(2)
    const life = { runUid: 'uid-1' }
    const slot = await grantedTo(a, ask(repo(1), 1, life))
    await slot.release()
    const refused = { kind: 'refused', reason: 'finished' }
    const { kind, reason } = (await b.acquireSlot(ask(repo(1), 1, life))) as typeof refused
    assert.deepEqual({ kind, reason }, refused)
    assert.deepEqual(await b.queueManager.addListToRunningQueue(repo(1), [{ run: run(1), ...life }]), [
      { ...refused, run: run(1) },
    ])
    await assert.rejects(b.waitForSlot(ask(repo(1), 1, life)), {
      code: 'SLOTKEEPER_SLOT_REFUSED',
      reason: 'finished',
    })
    assert.equal(await b.setPipelineRunState('acme/api', run(1), 'queued', life), 'completed')
    assert.equal(await isQueued(a, repo(1), run(1)), false)
  })

  rule('6. a new uid, or a new call without one, begins a new attempt', async (lab) => {
    const [a, b] = await lab.managers(2)
    for (const uid of [undefined, undefined, 'uid-1', 'uid-2']) {
      const slot = await grantedTo(b, ask(repo(1), 1, uid === undefined ? {} : { runUid: uid }))
      assert.equal(await a.getPipelineRunState('acme/api', run(1)), 'started')
      await slot.release({ state: 'failed' })
      assert.equal(await a.getPipelineRunState('acme/api', run(1)), 'failed')
    }
    assert.equal(await a.setPipelineRunState('acme/api', run(1), 'queued', { runUid: 'uid-3' }), 'queued')
  })

  rule('6. the times of an attempt are kept: when it was queued, granted, started and over', async (lab) => {
    const desk = await lab.desk()
    const holder = await desk.holder()
    const granted = await desk.send(acquire({ run: run(1), ticket: desk.ticket(), holder, mode: 'wait' }))
    assert.ok(granted.kind === 'granted')
    const { token } = granted.row
    await desk.send(release({ run: run(1), token, ticket: desk.ticket() }))
    const row = await desk.row(API, run(1))
    const times = [row?.queuedAt, row?.acquiredAt, row?.startedAt, row?.endedAt]
    for (const [at, time] of times.entries()) {
      assert.equal(typeof time, 'number', `time ${at}`)
      if (at > 0) assert.ok((time as number) >= (times[at - 1] as number))
    }
    assert.deepEqual([row?.state, row?.ending], ['completed', 'released'])
  })

  rule('6. a record is kept for its time, and then forgotten', async (lab) => {
    const desk = await lab.desk({ recordTtlMs: 50 })
    const holder = await desk.holder()
    const kept = await lab.desk()
    for (const [n, sender] of [desk, kept].entries()) {
      const granted = await sender.send(acquire({ run: run(n), ticket: sender.ticket(), holder }))
      assert.ok(granted.kind === 'granted')
      await sender.send(release({ run: run(n), token: granted.row.token, ticket: sender.ticket() }))
    }
    await lab.until('the record is forgotten', async () => {
      await desk.tidy()
      return (await desk.row(API, run(0))) === undefined
    })
    assert.equal((await desk.row(API, run(1)))?.state, 'completed', 'the other one is kept for a day')
  })
}
