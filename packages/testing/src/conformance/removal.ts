import assert from 'node:assert/strict'
import { enqueue, removeRepository } from './commands.ts'
import { ask, grantedTo, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function removalRules(rule: Rule): void {
  rule(
    'removal: a repository goes with its queue, its slots and its records, and leaves the others alone',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      a.queueManager.setupWatcher('acme/api', () => {})
      const slot = await grantedTo(a, ask(repo(1), 1))
      const kept = await grantedTo(a, ask(repo(1, 'other'), 1))
      await b.queueManager.addListToRunningQueue(repo(1), [run(2), run(3)])
      const { signal } = slot
      assert.deepEqual(await b.cleanupRepository('acme/api'), { removed: 3 })
      const { running, reserved, waiting: entries, limit } = await b.getCurrentSlots('acme/api')
      assert.deepEqual(
        { running, reserved, entries, limit },
        { running: 0, reserved: 0, entries: 0, limit: 'unlimited' },
      )
      assert.equal(await b.getPipelineRunState('acme/api', run(1)), undefined)
      assert.deepEqual(
        (await b.getRepositories()).map((one) => one.repository),
        ['acme/other'],
      )
      await lab.until('who held a slot learns that it is gone', () => signal.aborted)
      assert.equal(slot.isHeld, false)
      assert.equal((signal.reason as { reason?: string }).reason, 'removed')
      assert.deepEqual(await b.releaseSlot(slot), { kind: 'lost', reason: 'removed' })
      assert.equal(kept.isHeld, true)
      assert.equal((await kept.release()).kind, 'released')
    },
  )

  rule(
    'removal: who waits for a slot of a removed repository is told, or waits in its next life',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      await grantedTo(a, ask(repo(1), 1))
      const [waiting] = await lab.queue(a, [ask(repo(1), 2)])
      await b.cleanupRepository('acme/api')
      await lab.until(
        'it is told or granted',
        () => waiting.error !== undefined || waiting.slot !== undefined,
      )
      if (waiting.slot !== undefined) assert.equal((await b.getCurrentSlots('acme/api')).running, 1)
    },
  )

  rule(
    'removal: of a repository with more rows than fit one commit, all go, and meanwhile nothing is granted',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const count = Math.min(lab.manifest.budget, 2000) + 20
      const runs = Array.from({ length: count }, (_, n) =>
        enqueue({ run: run(n), ticket: desk.ticket(), proposal: { limit: 5 } }),
      )
      await desk.sendAll(runs)
      const begun = await desk.send(removeRepository({ ticket: desk.ticket() }))
      assert.deepEqual(begun, { kind: 'removed', runs: count })
      const late = await other.send(enqueue({ run: run('late'), ticket: other.ticket() }))
      assert.ok(
        late.kind === 'refused' || (await other.repository('acme/api'))?.live === 1,
        'refused while it goes, or new when it is gone',
      )
      await desk.settle('acme/api')
      await lab.until('everything is gone', async () => {
        const { runs: left } = await other.read('acme/api')
        return left.every((row) => row.run === run('late'))
      })
      assert.equal(await other.row('acme/api', run(0)), undefined)
    },
  )

  rule('removal: who removes a repository leaves its next life alone', async (lab) => {
    const { manager, faults } = await lab.faulty()
    const desk = await lab.desk()
    await desk.send(enqueue({ run: run(1), ticket: desk.ticket(), proposal: { limit: 1 } }))
    const transact = faults.transact.bind(faults)
    let next: Promise<string> | undefined
    faults.transact = async (batch, decide, signal) => {
      await transact(batch, decide, signal)
      if (!batch.some(({ commands }) => commands.some(({ kind }) => kind === 'remove-repository'))) return
      // Before the one who removes it asks again, all is gone and the next life begins.
      next ??= (async () => {
        await desk.settle('acme/api')
        return (await desk.send(enqueue({ run: run(2), ticket: desk.ticket(), proposal: { limit: 1 } }))).kind
      })()
      await next
    }
    assert.deepEqual(await manager.cleanupRepository('acme/api'), { removed: 1 })
    assert.equal(await next, 'granted')
    assert.equal(await desk.row('acme/api', run(1)), undefined)
    assert.equal((await desk.row('acme/api', run(2)))?.phase, 'reserved')
  })

  rule('removal: a word about an earlier life of the repository removes nothing', async (lab) => {
    const [a, b] = await lab.managers(2)
    const first = {
      metadata: { namespace: 'acme', name: 'api', uid: 'uid-1' },
      spec: { concurrencyLimit: 1 },
    }
    const second = { ...first, metadata: { ...first.metadata, uid: 'uid-2' } }
    await grantedTo(a, ask(first, 1))
    await b.cleanupRepository(first)
    const slot = await grantedTo(a, ask(second, 1))
    assert.deepEqual(await b.cleanupRepository(first), { removed: 0 })
    assert.equal((await b.getCurrentSlots('acme/api')).running, 1)
    assert.equal(slot.isHeld, true)
    assert.deepEqual(await b.cleanupRepository(second), { removed: 1 })
    assert.deepEqual(await b.cleanupRepository('acme/never'), { removed: 0 })
  })

  rule(
    'removal: a waiting run is taken out of the queue; one that has its slot is left alone',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      const slot = await grantedTo(a, ask(repo(1), 1))
      const [waiting] = await lab.queue(a, [ask(repo(1), 2)])
      await b.queueManager.addListToRunningQueue(repo(1), [run(3)])
      const removed = async (name: number) =>
        (await b.queueManager.removeFromQueue('acme/api', run(name))).kind
      assert.deepEqual(
        [await removed(1), await removed(2), await removed(3), await removed(4)],
        ['running', 'removed', 'removed', 'absent'],
      )
      await lab.until('the waiter is told', () => waiting.error !== undefined)
      assert.deepEqual(
        [(waiting.error as { code?: string }).code, (waiting.error as { reason?: string }).reason],
        ['SLOTKEEPER_SLOT_REFUSED', 'removed'],
      )
      assert.equal(slot.isHeld, true)
      assert.deepEqual(await slot.release(), { kind: 'released', promoted: [] })
    },
  )
}
