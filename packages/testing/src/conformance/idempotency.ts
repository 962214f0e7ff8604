import assert from 'node:assert/strict'
import type { LeaseId } from '@slotkeeper/core'
import { ask, grantedTo, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function idempotencyRules(rule: Rule): void {
  rule(
    '4. the same run asked again by its holder gets the same lease, and takes no second slot',
    async (lab) => {
      const manager = await lab.manager()
      const first = await grantedTo(manager, ask(repo(2), 1))
      const again = await manager.acquireSlot(ask(repo(2), 1))
      assert.ok(again.kind === 'granted' && again.again, 'it says that it is held already')
      assert.equal(again.slot.leaseId, first.leaseId)
      assert.equal(again.slot.fencingToken, first.fencingToken)
      assert.equal((await manager.getCurrentSlots('acme/api')).running, 1)
      const both = await Promise.all([
        manager.acquireSlot(ask(repo(2), 2)),
        manager.acquireSlot(ask(repo(2), 2)),
      ])
      const leases = both.map((outcome) => (outcome.kind === 'granted' ? outcome.slot.leaseId : outcome.kind))
      assert.equal(leases[0], leases[1], 'two calls at once get one slot')
      assert.equal((await manager.getCurrentSlots('acme/api')).running, 2)
    },
  )

  rule(
    '4. another holder is told who has the run, and whoever waits for a held run is told so',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      await grantedTo(a, ask(repo(5), 1))
      const outcome = await b.acquireSlot(ask(repo(5), 1))
      assert.ok(outcome.kind === 'held-elsewhere')
      assert.equal(outcome.holder, a.holder)
      assert.ok(Math.abs(outcome.since.getTime() - Date.now()) < 3_600_000)
      await assert.rejects(b.waitForSlot(ask(repo(5), 1)), {
        code: 'SLOTKEEPER_SLOT_REFUSED',
        reason: 'held-elsewhere',
      })
      await assert.rejects(a.waitForSlot(ask(repo(5), 1)), { code: 'SLOTKEEPER_ALREADY_HELD' })
      assert.equal((await b.getCurrentSlots('acme/api')).running, 1)
    },
  )

  rule('4. identity is repository and run: the same run key in two repositories is two runs', async (lab) => {
    const [a, b] = await lab.managers(2)
    const first = await grantedTo(a, ask(repo(1, 'one'), 1))
    const second = await grantedTo(b, ask(repo(1, 'two'), 1))
    assert.deepEqual(await first.release(), { kind: 'released', promoted: [] })
    assert.equal((await b.getCurrentSlots('acme/two')).running, 1)
    assert.deepEqual(await second.release(), { kind: 'released', promoted: [] })
  })

  rule('4. a second release frees nothing and says so, whoever makes it', async (lab) => {
    const [a, b] = await lab.managers(2)
    const slot = await grantedTo(a, ask(repo(1), 1))
    const { repository, run: name, leaseId } = slot
    assert.equal((await slot.release()).kind, 'released')
    const next = await grantedTo(b, ask(repo(1), 2))
    for (const manager of [a, b])
      assert.deepEqual(await manager.releaseSlot({ repository, run: name, leaseId }), {
        kind: 'already-released',
      })
    assert.deepEqual(await slot.release(), { kind: 'already-released' })
    assert.equal(next.isHeld, true)
    assert.equal((await a.getCurrentSlots('acme/api')).running, 1)
  })

  rule('4. of many who release one lease at once, one frees it', async (lab) => {
    const managers = await lab.managers(4)
    const { repository, run: name, leaseId } = await grantedTo(managers[0], ask(repo(3), 1))
    const slots = [
      await grantedTo(managers[1], ask(repo(3), 2)),
      await grantedTo(managers[2], ask(repo(3), 3)),
    ]
    const outcomes = await Promise.all(
      managers.map((manager) => manager.releaseSlot({ repository, run: name, leaseId })),
    )
    assert.deepEqual(outcomes.map((outcome) => outcome.kind).sort(), [
      'already-released',
      'already-released',
      'already-released',
      'released',
    ])
    assert.equal((await managers[0].getCurrentSlots('acme/api')).running, slots.length)
  })

  rule('4. a wrong or an old lease frees nothing and says so', async (lab) => {
    const [a, b] = await lab.managers(2)
    const old = await grantedTo(a, ask(repo(1), 1))
    const { leaseId } = old
    await old.release()
    const slot = await grantedTo(b, ask(repo(1), 1))
    const named = { repository: slot.repository, run: slot.run }
    for (const lease of [leaseId, 'lease-zzz', 'nonsense', '', "'; drop"] as LeaseId[])
      for (const manager of [a, b])
        assert.deepEqual(
          await manager.releaseSlot({ ...named, leaseId: lease }),
          { kind: 'lost', reason: 'stale-lease' },
          `lease ${JSON.stringify(lease)}`,
        )
    assert.equal((await b.releaseSlot({ ...named, run: run('unknown'), leaseId: slot.leaseId })).kind, 'lost')
    assert.equal(
      (await b.releaseSlot({ ...named, repository: 'acme/unknown', leaseId: slot.leaseId })).kind,
      'lost',
    )
    assert.equal(slot.isHeld, true)
    assert.deepEqual(
      (await a.getRunningPipelineRuns('acme/api')).map((one) => one.leaseId),
      [slot.leaseId],
    )
    assert.equal((await slot.release()).kind, 'released')
  })

  rule('4. a lease may be released by whoever knows it', async (lab) => {
    const [a, b] = await lab.managers(2)
    const { repository, run: name, leaseId } = await grantedTo(a, ask(repo(1), 1))
    assert.deepEqual(await b.releaseSlot({ repository, run: name, leaseId }), {
      kind: 'released',
      promoted: [],
    })
    await grantedTo(b, ask(repo(1), 2))
  })
}
