import assert from 'node:assert/strict'
import type { ActualRun, Drift, Manager, Repository } from '@slotkeeper/core'
import { API, acquire, adopt, enqueue, release, remove } from './commands.ts'
import { ask, grantedTo, isQueued, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

const audit = { actor: 'ops/anna', reason: 'its node is gone' }

export function repairRules(rule: Rule): void {
  rule(
    'repair: a release by force ends the lease that was seen and no other, and its holder hears of it',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      a.queueManager.setupWatcher('acme/api', () => {})
      const first = await grantedTo(a, ask(repo(1), 1))
      await first.release()
      const slot = await grantedTo(a, ask(repo(1), 1))
      const { signal } = slot
      const [waiting] = await lab.queue(b, [ask(repo(1), 2)])
      assert.deepEqual(await b.forceRelease(first, audit), { kind: 'lost', reason: 'stale-lease' })
      assert.equal(slot.isHeld, true)
      assert.deepEqual(await b.forceRelease(slot, audit), { kind: 'released', promoted: [run(2)] })
      await lab.settles('the next one is granted', waiting.promise)
      await lab.until('who held it is told', () => signal.aborted)
      assert.equal((signal.reason as { reason?: string }).reason, 'removed')
      assert.deepEqual(await slot.release(), { kind: 'already-released' })
      assert.equal(await a.getPipelineRunState('acme/api', run(1)), 'cancelled')
    },
  )

  rule(
    'repair: a rebuild adopts what runs, ends what is over, gives back what never started, and queues the rest',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      const old = await lab.manager()
      const of = repo(3)
      await claimAll(old, of, [0, 1, 2])
      await old.queueManager.addListToRunningQueue(of, [run(3)])
      await old.close()
      await lab.until('its slots are orphaned', async () => (await a.getCurrentSlots(of)).orphaned === 3)
      const listing = () =>
        list(of, [
          [0, 'started'],
          [1, 'completed'],
          [2, 'queued'],
          [3, 'queued'],
          [4, 'queued'],
          [5, 'started'],
          [6, 'started'],
        ])
      const drifts = await a.queueManager.initQueues(listing())
      assert.deepEqual(drifts.map(short).sort(), [
        'over run-1 done',
        // What runs is counted first, before anything is freed, so that nothing else is granted in between.
        'uncounted run-5 done beyond',
        'uncounted run-6 done beyond',
        'unkept run-0 done',
        'unqueued run-4 done',
        'unstarted run-2 done',
      ])
      const { running, reserved, orphaned, waiting } = await b.getCurrentSlots(of)
      assert.deepEqual(
        { running, reserved, orphaned, waiting },
        { running: 3, reserved: 0, orphaned: 0, waiting: 3 },
      )
      assert.deepEqual(
        (await b.getQueuedPipelineRuns(of)).map((entry) => entry.run),
        [run(2), run(3), run(4)],
      )
      assert.deepEqual(await b.queueManager.initQueues(listing()), [], 'a second one finds nothing')
    },
  )

  rule('repair: of replicas that rebuild at once each run is adopted, ended and queued once', async (lab) => {
    const managers = await lab.managers(3)
    const old = await lab.manager()
    const of = repo(12)
    await claimAll(old, of, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    await old.close()
    const states = Array.from({ length: 20 }, (_, n): [number, string] => [
      n,
      n < 4 ? 'started' : n < 8 ? 'failed' : 'queued',
    ])
    const all = await Promise.all(
      managers.map((manager) => manager.queueManager.initQueues(list(of, states))),
    )
    const done = all.flat().filter((drift) => 'repair' in drift && drift.repair.kind === 'done')
    const names = done.map((drift) => ('run' in drift ? drift.run : ''))
    assert.equal(new Set(names).size, names.length, 'nothing was done twice')
    assert.equal(names.length, 20)
    const [first] = managers
    const { running, reserved, orphaned, waiting } = await first.getCurrentSlots(of)
    assert.deepEqual(
      { running, reserved, orphaned, waiting },
      { running: 4, reserved: 8, orphaned: 0, waiting: 4 },
    )
    const held = managers.flatMap((manager) => manager.inspect().slots.map((slot) => slot.run))
    assert.deepEqual(held.sort(), [0, 1, 2, 3].map(run))
  })

  rule('repair: nothing younger than the mark is taken away, whatever an older listing says', async (lab) => {
    const [a, b] = await lab.managers(2)
    const of = repo(9)
    const [before] = await claimAll(b, of, [0])
    const drifts = await a.queueManager.initQueues(
      (async function* () {
        await before?.release()
        await claimAll(b, of, [1, 2])
        await b.queueManager.addListToRunningQueue(of, [run(3)])
        yield* list(of, [
          [0, 'started'],
          [1, 'completed'],
          [3, 'failed'],
        ])
      })(),
      { listsWaiting: true, covers: () => true },
    )
    assert.deepEqual(drifts, [])
    const { running, reserved } = await b.getCurrentSlots(of)
    assert.deepEqual({ running, reserved }, { running: 2, reserved: 1 })
  })

  rule(
    'repair: an adoption leaves a row of another life alone, and disproves an end that nobody had told of',
    async (lab) => {
      const desk = await lab.desk()
      const holder = await desk.holder()
      const limits = { claimTimeoutMs: 60_000, leaseTtlMs: 60_000 }
      const waiting = await desk.send(
        enqueue({ run: run(0), ticket: desk.ticket(), runUid: 'uid-2', proposal: { limit: 1 } }),
      )
      assert.equal(waiting.kind, 'granted')
      const other = adopt({
        run: run(0),
        ticket: desk.ticket(),
        holder,
        beyond: { runUid: 'uid-1', ...limits },
      })
      assert.equal((await desk.send(other)).kind, 'held-elsewhere')
      assert.equal((await desk.row(API, run(0)))?.phase, 'reserved')
      for (const [n, state] of (['expired', 'failed'] as const).entries()) {
        const name = run(n + 1)
        const granted = await desk.send(
          acquire({
            run: name,
            ticket: desk.ticket(),
            holder,
            runUid: 'uid-1',
            durable: true,
            proposal: { limit: 5 },
          }),
        )
        assert.ok(granted.kind === 'granted')
        await desk.send(release({ run: name, token: granted.token, ticket: desk.ticket(), state }))
        const again = adopt({
          run: name,
          ticket: desk.ticket(),
          holder,
          beyond: { runUid: 'uid-1', ...limits },
        })
        assert.equal((await desk.send(again)).kind, state === 'expired' ? 'granted' : 'refused', state)
      }
    },
  )

  rule('repair: an entry is removed only as the attempt that was seen', async (lab) => {
    const desk = await lab.desk()
    for (const n of [0, 1]) await desk.send(enqueue({ run: run(n), ticket: desk.ticket() }))
    const sequence = (await desk.row(API, run(1)))?.sequence ?? 0
    const take = (seen: number) =>
      desk.send(
        remove({
          run: run(1),
          ticket: desk.ticket(),
          seen: { sequence: seen, state: 'failed' },
          audit,
        }),
      )
    assert.deepEqual(await take(sequence - 1), { kind: 'absent' })
    assert.equal((await desk.row(API, run(1)))?.phase, 'waiting')
    assert.deepEqual(await take(sequence), { kind: 'removed' })
    assert.equal((await desk.row(API, run(1)))?.state, 'failed')
  })

  rule('limits: a global word about a repository that was removed does not bring it back', async (lab) => {
    const [a, b] = await lab.managers(2)
    const life: Repository = {
      metadata: { namespace: 'acme', name: 'api', uid: 'uid-1', generation: 1 },
      spec: { concurrencyLimit: 1 },
    }
    await grantedTo(a, ask(life, 1))
    await a.cleanupRepository(life)
    assert.equal((await b.setRepositoryLimit(repo(5), { source: 'global' })).kind, 'removed')
    assert.deepEqual(await a.getRepositories(), [])
  })

  rule(
    '6. a record is forgotten before its time when that is asked for, and nothing else is',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      const slot = await grantedTo(a, ask(repo(1), 1, { runUid: 'uid-1' }))
      await b.queueManager.addListToRunningQueue(repo(1), [run(2)])
      for (const busy of [run(1), run(2)])
        assert.deepEqual(await b.stateManager.cleanup('acme/api', busy), { kind: 'busy' })
      assert.equal(slot.isHeld, true)
      assert.equal(await isQueued(a, repo(1), run(2)), true)
      await slot.release()
      assert.deepEqual(await b.stateManager.cleanup('acme/api', run(1)), { kind: 'forgotten' })
      assert.equal(await a.getPipelineRunState('acme/api', run(1)), undefined)
      assert.equal(await a.stateManager.getTimes('acme/api', run(1)), undefined)
      await b.queueManager.removeAndTakeItemFromQueue(repo(1), run(2))
      const again = await grantedTo(a, ask(repo(1), 1, { runUid: 'uid-1' }))
      assert.ok(again.fencingToken > slot.fencingToken, 'tokens go on rising')
    },
  )
}

/** Enqueues runs and claims them all. */
async function claimAll(manager: Manager, of: Repository, numbers: readonly number[]) {
  const outcomes = await manager.queueManager.addListToRunningQueue(of, numbers.map(run))
  const slots = []
  for (const outcome of outcomes) {
    assert.ok(outcome.kind === 'reserved')
    assert.equal((await outcome.slot.claim()).kind, 'running')
    slots.push(outcome.slot)
  }
  return slots
}

async function* list(
  of: Repository,
  states: readonly (readonly [number, string])[],
): AsyncGenerator<ActualRun> {
  for (const [n, state] of states) yield { repository: of, run: run(n), state, order: n }
}

function short(drift: Drift): string {
  const name = 'run' in drift ? drift.run.replace('acme/', '') : ''
  const repair = 'repair' in drift ? drift.repair.kind : ''
  return `${drift.kind} ${name} ${repair}${'beyondLimit' in drift && drift.beyondLimit ? ' beyond' : ''}`
}
