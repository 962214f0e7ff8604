import assert from 'node:assert/strict'
import type { Repository } from '@slotkeeper/core'
import { ask, grantedTo, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

/** The resource as a cluster would show it. */
function resource(
  limit: number | null,
  version: { readonly uid?: string; readonly generation?: number },
): Repository {
  return { metadata: { namespace: 'acme', name: 'api', ...version }, spec: { concurrencyLimit: limit } }
}

export function authorityRules(rule: Rule): void {
  rule('limits: of two words by one source the higher generation wins, whichever comes last', async (lab) => {
    const [a, b] = await lab.managers(2)
    const uid = 'uid-1'
    assert.deepEqual(await a.setRepositoryLimit(resource(3, { uid, generation: 2 })), {
      kind: 'set',
      limit: 3,
    })
    assert.deepEqual(await b.setRepositoryLimit(resource(9, { uid, generation: 1 })), {
      kind: 'older',
      limit: 3,
    })
    await grantedTo(b, ask(resource(9, { uid, generation: 1 }), 1))
    assert.equal(
      (await a.getCurrentSlots('acme/api')).limit,
      3,
      'an acquire with an old word changes nothing',
    )
    assert.deepEqual(await b.setRepositoryLimit(resource(1, { uid, generation: 3 })), {
      kind: 'set',
      limit: 1,
    })
    assert.deepEqual(await a.acquireSlot(ask(resource(3, { uid, generation: 2 }), 2)), {
      kind: 'refused',
      reason: 'limit',
      running: 1,
      limit: 1,
    })
  })

  rule(
    'limits: without generations the last different word wins, but never over one that has a generation',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      assert.equal((await a.setRepositoryLimit(repo(2))).limit, 2)
      assert.equal((await b.setRepositoryLimit(repo(5))).limit, 5)
      await grantedTo(a, ask(repo(4), 1))
      assert.equal((await b.getCurrentSlots('acme/api')).limit, 4)
      assert.equal((await b.setRepositoryLimit(resource(3, { generation: 1 }))).limit, 3)
      assert.deepEqual(await a.setRepositoryLimit(repo(7)), { kind: 'older', limit: 3 })
      assert.equal((await b.getCurrentSlots('acme/api')).limit, 3)
    },
  )

  rule(
    'limits: the local word counts before the global one, which counts where there is none',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      assert.deepEqual(await a.setRepositoryLimit(repo(4), { source: 'global' }), { kind: 'set', limit: 4 })
      await grantedTo(b, ask(repo(null), 1))
      assert.equal((await b.getCurrentSlots('acme/api')).limit, 4)
      assert.equal((await b.setRepositoryLimit(repo(2))).limit, 2)
      await a.setRepositoryLimit(repo(8), { source: 'global' })
      assert.equal((await b.getCurrentSlots('acme/api')).limit, 2)
      assert.equal((await b.setRepositoryLimit(repo(0))).limit, 'unlimited', '0 is a word: unlimited')
      assert.equal((await b.setRepositoryLimit(repo(null))).limit, 8, 'null is none')
    },
  )

  rule('limits: reading proposes nothing', async (lab) => {
    const [a, b] = await lab.managers(2)
    await a.setRepositoryLimit(repo(2))
    const other = repo(9)
    await b.getCurrentSlots(other)
    await b.getRunningPipelineRuns(other)
    await b.getQueuedPipelineRuns(other)
    await b.explain(other, run(1))
    await b.getRepositoryState(other)
    await b.setPipelineRunState(other, run(1), 'queued')
    await b.getPipelineRunState(other, run(1))
    assert.equal((await a.getCurrentSlots('acme/api')).limit, 2)
    await b.getCurrentSlots(repo(9, 'unheard-of'))
    assert.deepEqual(
      (await a.getRepositories()).map((one) => one.repository),
      ['acme/api'],
    )
  })

  rule('limits: the uid of a removed repository is refused, a new one begins a new life', async (lab) => {
    const [a, b] = await lab.managers(2)
    await grantedTo(a, ask(resource(2, { uid: 'uid-1', generation: 7 }), 1))
    await b.cleanupRepository('acme/api')
    const { kind, reason } = (await a.acquireSlot(ask(resource(2, { uid: 'uid-1', generation: 8 }), 1))) as {
      kind: string
      reason?: string
    }
    assert.deepEqual({ kind, reason }, { kind: 'refused', reason: 'removed' })
    assert.equal((await a.setRepositoryLimit(resource(2, { uid: 'uid-1', generation: 9 }))).kind, 'removed')
    await assert.rejects(b.waitForSlot(ask(resource(2, { uid: 'uid-1' }), 2)), {
      code: 'SLOTKEEPER_SLOT_REFUSED',
      reason: 'removed',
    })
    const slot = await grantedTo(b, ask(resource(3, { uid: 'uid-2', generation: 1 }), 1))
    assert.equal((await a.getCurrentSlots('acme/api')).limit, 3)
    assert.equal(slot.isHeld, true)
    assert.equal((await a.acquireSlot(ask(resource(9, { uid: 'uid-1', generation: 99 }), 3))).kind, 'refused')
    assert.equal((await a.getCurrentSlots('acme/api')).limit, 3)
  })

  rule(
    'limits: a resource made anew under the same name takes over, and the old one is refused',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      await a.setRepositoryLimit(resource(2, { uid: 'uid-1', generation: 5 }))
      assert.deepEqual(await b.setRepositoryLimit(resource(4, { uid: 'uid-2', generation: 1 })), {
        kind: 'set',
        limit: 4,
      })
      assert.equal((await a.setRepositoryLimit(resource(9, { uid: 'uid-1', generation: 6 }))).kind, 'removed')
      assert.equal((await b.getCurrentSlots('acme/api')).limit, 4)
    },
  )
}
