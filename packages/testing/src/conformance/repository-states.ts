import assert from 'node:assert/strict'
import { ask, grantedTo, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function repositoryStateRules(rule: Rule): void {
  rule(
    '14. paused: nothing new is granted to anybody, claims are allowed, slots go on, entries are taken',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      const slot = await grantedTo(a, ask(repo(3), 'runs'))
      const [reserved] = await a.queueManager.addListToRunningQueue(repo(3), [run('reserved')])
      assert.ok(reserved?.kind === 'reserved')
      await b.setRepositoryState('acme/api', 'paused')
      assert.equal(await a.getRepositoryState('acme/api'), 'paused')
      const { kind, reason } = (await a.acquireSlot(ask(repo(3), 1))) as { kind: string; reason?: string }
      assert.deepEqual({ kind, reason }, { kind: 'refused', reason: 'paused' })
      const [waiting] = await lab.queue(a, [ask(repo(3), 2)])
      assert.deepEqual(
        (await b.queueManager.addListToRunningQueue(repo(3), [run(3)])).map((one) => one.kind),
        ['waiting'],
      )
      assert.equal((await reserved.slot.claim()).kind, 'running')
      assert.deepEqual(
        await slot.release(),
        { kind: 'released', promoted: [] },
        'a freed place is not given away',
      )
      await a.setRepositoryLimit(repo(9))
      assert.deepEqual(
        (await b.getRunningPipelineRuns('acme/api')).map((one) => one.run),
        [run('reserved')],
      )
      assert.equal((await a.explain('acme/api', run(2))).repositoryState, 'paused')
      await a.setRepositoryState('acme/api', 'active')
      await lab.settles('who waited is granted', waiting.promise)
      assert.equal((await b.getCurrentSlots('acme/api')).reserved, 1)
    },
  )

  rule('14. draining: new entries are refused too, what is there stays in its order', async (lab) => {
    const [a, b] = await lab.managers(2)
    const slot = await grantedTo(a, ask(repo(1), 'runs'))
    await a.queueManager.addListToRunningQueue(repo(1), [run('first'), run('second')])
    await b.setRepositoryState('acme/api', 'draining')
    const { kind, reason } = (await a.acquireSlot(ask(repo(1), 1))) as { kind: string; reason?: string }
    assert.deepEqual({ kind, reason }, { kind: 'refused', reason: 'draining' })
    await assert.rejects(a.waitForSlot(ask(repo(1), 2)), {
      code: 'SLOTKEEPER_SLOT_REFUSED',
      reason: 'draining',
    })
    const listed = await b.queueManager.addListToRunningQueue(repo(1), [run(3)])
    assert.deepEqual(listed, [{ kind: 'refused', run: run(3), reason: 'draining' }])
    assert.equal(slot.isHeld, true)
    assert.deepEqual(await slot.release(), { kind: 'released', promoted: [] })
    assert.deepEqual(
      (await b.getQueuedPipelineRuns('acme/api')).map((entry) => entry.run),
      [run('first'), run('second')],
    )
    await a.setRepositoryState('acme/api', 'active')
    assert.deepEqual(
      (await b.getRunningPipelineRuns('acme/api')).map((one) => one.run),
      [run('first')],
    )
  })

  rule('14. a repository is active until somebody says otherwise, each for itself', async (lab) => {
    const [a, b] = await lab.managers(2)
    assert.equal(await a.getRepositoryState('acme/api'), 'active')
    await a.setRepositoryState('acme/api', 'paused')
    assert.equal(await b.getRepositoryState('acme/other'), 'active')
    await grantedTo(b, ask(repo(1, 'other'), 1))
    await assert.rejects(b.setRepositoryState('acme/api', 'stopped' as 'paused'), {
      code: 'SLOTKEEPER_INVALID_ARGUMENT',
    })
  })
}
