import assert from 'node:assert/strict'
import { API } from './commands.ts'
import { ask, grantedTo, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function parkingRules(rule: Rule): void {
  rule(
    'durable: a start that provably failed gives the slot back, and the run keeps its place',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      const [outcome] = await a.queueManager.addListToRunningQueue(repo(1), [run(0), run(1), run(2)])
      assert.ok(outcome?.kind === 'reserved')
      await a.setRepositoryState('acme/api', 'paused')
      assert.equal((await outcome.slot.claim()).kind, 'running')
      assert.deepEqual(await outcome.slot.requeue(), { kind: 'requeued', place: 1 })
      assert.equal(outcome.slot.isHeld, false)
      assert.deepEqual(
        (await b.getQueuedPipelineRuns('acme/api')).map((entry) => entry.run),
        [0, 1, 2].map(run),
      )
      assert.equal((await b.getCurrentSlots('acme/api')).running, 0)
      await b.setRepositoryState('acme/api', 'active')
      assert.deepEqual(
        (await b.getRunningPipelineRuns('acme/api')).map((slot) => slot.run),
        [run(0)],
        'it is the first again',
      )
      const worker = await grantedTo(b, ask(repo(1, 'other'), 1))
      await assert.rejects(worker.requeue(), { code: 'SLOTKEEPER_NOT_DURABLE' })
      assert.equal(worker.isHeld, true)
    },
  )

  rule(
    'durable: with a delay the run is passed over that long, and then has its old place again',
    async (lab) => {
      const [a, b, desk] = [await lab.manager(), await lab.manager(), await lab.desk()]
      const [outcome] = await a.queueManager.addListToRunningQueue(repo(1), [run(0), run(1), run(2)])
      assert.ok(outcome?.kind === 'reserved')
      await outcome.slot.requeue({ delayMs: 50 })
      assert.deepEqual(
        (await b.getRunningPipelineRuns('acme/api')).map((slot) => slot.run),
        [run(1)],
        'the next one goes',
      )
      await lab.until('the park is over', async () => {
        await desk.settle(API)
        return (await a.explain('acme/api', run(0))).kind === 'waiting'
      })
      assert.deepEqual(
        (await a.getQueuedPipelineRuns('acme/api')).map((entry) => entry.run),
        [run(0), run(2)],
      )
      assert.equal((await a.explain('acme/api', run(0))).place, 1)
    },
  )

  rule(
    'durable: an unclaimed reservation is parked, the next eligible run goes, and the parked one keeps its place',
    async (lab) => {
      const [a, b, desk] = [await lab.manager({ claimTimeoutMs: 100 }), await lab.manager(), await lab.desk()]
      const watcher = await lab.manager()
      const parked: string[] = []
      watcher.queueManager.setupWatcher(
        'acme/api',
        (event) => void (event.kind === 'parked' && parked.push(event.run as string)),
      )
      const outcomes = await a.queueManager.addListToRunningQueue(repo(1), [run(0), run(1)])
      assert.deepEqual(
        outcomes.map((outcome) => outcome.kind),
        ['reserved', 'waiting'],
      )
      await lab.until('the first was parked and the second had its turn', async () => {
        await desk.settle(API)
        const seen = await b.explain('acme/api', run(1))
        return seen.kind === 'reserved' || seen.kind === 'parked' || parked.includes(run(1))
      })
      const slot = await lab.until('the first gets another turn', async () => {
        await desk.settle(API)
        return (await b.explain('acme/api', run(0))).slot
      })
      const first = outcomes[0]
      assert.ok(first?.kind === 'reserved')
      assert.ok(slot.fencingToken > first.slot.fencingToken, 'a new turn is a new grant')
      assert.equal((await first.slot.claim()).kind, 'lost', 'the lease of the first turn is over')
    },
  )

  rule('durable: asking for a parked run makes it eligible again, at its old place', async (lab) => {
    const [a, b] = await lab.managers(2)
    const [outcome] = await a.queueManager.addListToRunningQueue(repo(1), [run(0), run(1), run(2)])
    assert.ok(outcome?.kind === 'reserved')
    await outcome.slot.requeue({ delayMs: 3_600_000 })
    assert.equal((await b.explain('acme/api', run(0))).kind, 'parked')
    const [again] = await b.queueManager.addListToRunningQueue(repo(1), [run(0)])
    assert.deepEqual(again, { kind: 'waiting', run: run(0), place: 1 })
    assert.deepEqual(
      (await b.getQueuedPipelineRuns('acme/api')).map((entry) => entry.run),
      [run(0), run(2)],
    )
  })
}
