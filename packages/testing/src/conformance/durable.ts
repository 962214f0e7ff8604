import assert from 'node:assert/strict'
import type { Slot } from '@slotkeeper/core'
import { API, claim, enqueue, finish } from './commands.ts'
import { ask, grantedTo, isQueued, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function durableRules(rule: Rule): void {
  rule(
    'durable: an enqueued run is reserved a slot while there is room, belongs to nobody, and is counted',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      const outcomes = await a.queueManager.addListToRunningQueue(repo(1), [run(1), run(2)])
      assert.deepEqual(
        outcomes.map((outcome) => outcome.kind),
        ['reserved', 'waiting'],
      )
      const [slot] = await b.getRunningPipelineRuns('acme/api')
      assert.deepEqual([slot?.phase, slot?.holder, slot?.durable], ['reserved', undefined, true])
      const { running, reserved, waiting } = await b.getCurrentSlots('acme/api')
      assert.deepEqual({ running, reserved, waiting }, { running: 0, reserved: 1, waiting: 1 })
      assert.equal((await b.acquireSlot(ask(repo(1), 3))).kind, 'refused')
    },
  )

  rule(
    'durable: any Manager that asks for the run gets its reservation; of many who claim, one becomes the holder',
    async (lab) => {
      const managers = await lab.managers(4)
      await managers[0].queueManager.addListToRunningQueue(repo(1), [run(1)])
      const slots: Slot[] = []
      for (const manager of managers) {
        const [outcome] = await manager.queueManager.addListToRunningQueue(repo(1), [run(1)])
        assert.ok(outcome?.kind === 'reserved')
        slots.push(outcome.slot)
      }
      const claims = await Promise.all(slots.map((slot) => slot.claim()))
      assert.deepEqual(claims.map((outcome) => outcome.kind).sort(), [
        'held-elsewhere',
        'held-elsewhere',
        'held-elsewhere',
        'running',
      ])
      const winner = claims.findIndex((outcome) => outcome.kind === 'running')
      const [slot] = await managers[0].getRunningPipelineRuns('acme/api')
      assert.deepEqual([slot?.phase, slot?.holder], ['running', managers[winner]?.holder])
      assert.deepEqual(
        slots.map((one) => one.isHeld),
        slots.map((_, at) => at === winner),
      )
    },
  )

  rule('durable: an acquire that is granted at once runs with its caller as holder', async (lab) => {
    const [a, b] = await lab.managers(2)
    await grantedTo(a, ask(repo(1), 1, { durable: true }))
    const [slot] = await b.getRunningPipelineRuns('acme/api')
    assert.deepEqual([slot?.phase, slot?.holder, slot?.durable], ['running', a.holder, true])
  })

  rule(
    'durable: durable acquires of one batch that are granted at once run with their caller as holder',
    async (lab) => {
      const { manager } = await lab.faulty()
      const slots = await Promise.all(
        [1, 2].map((n) => manager.waitForSlot(ask(repo(3), n, { durable: true }))),
      )
      for (const slot of slots)
        assert.deepEqual([slot.phase, slot.isHeld, slot.holder], ['running', true, manager.holder])
    },
  )

  rule(
    'durable: removeAndTakeItemFromQueue gives the place of the ended run to the next one, and tells which',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      await a.queueManager.addListToRunningQueue(repo(1), [0, 1, 2].map(run))
      const next = await b.queueManager.removeAndTakeItemFromQueue(repo(1), run(0))
      assert.deepEqual([next?.run, next?.phase], [run(1), 'reserved'])
      assert.equal((await next?.claim())?.kind, 'running')
      assert.equal(
        await a.queueManager.removeAndTakeItemFromQueue(repo(1), run(0)),
        undefined,
        'it was over already',
      )
      await a.setRepositoryLimit(repo(2))
      await grantedTo(a, ask(repo(2), 2, { durable: true }))
      await a.setRepositoryLimit(repo(1))
      await a.queueManager.addListToRunningQueue(repo(1), [run(3)])
      assert.equal(
        await b.queueManager.removeAndTakeItemFromQueue(repo(1), run(1)),
        undefined,
        'the limit is obeyed',
      )
      assert.equal(await isQueued(a, repo(1), run(3)), true)
    },
  )

  rule(
    '12. removeAndTake repeated by the same command gets its first outcome, by another one already-released',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      for (const n of [0, 1, 2]) await desk.send(enqueue({ run: run(n), ticket: desk.ticket() }))
      const finishing = finish({ run: run(0), ticket: desk.ticket() })
      for (const sender of [desk, other, desk]) {
        const outcome = await sender.send({ ...finishing })
        assert.deepEqual(outcome.kind === 'finished' && outcome.successor, run(1))
      }
      assert.deepEqual(await other.send(finish({ run: run(0), ticket: other.ticket() })), {
        kind: 'already-released',
      })
      assert.equal((await desk.repository(API))?.live, 1)
      assert.equal((await desk.row(API, run(2)))?.phase, 'waiting')
    },
  )

  rule('durable: a claim of a dead holder takes nothing', async (lab) => {
    const desk = await lab.desk()
    const holder = await desk.holder()
    await desk.driver.closeHolder(holder)
    const reserved = await desk.send(enqueue({ run: run(0), ticket: desk.ticket() }))
    assert.ok(reserved.kind === 'granted')
    const { token } = reserved.row
    assert.deepEqual(await desk.send(claim({ run: run(0), token, holder, ticket: desk.ticket() })), {
      kind: 'holder-dead',
    })
    assert.equal((await desk.row(API, run(0)))?.phase, 'reserved')
  })
}
