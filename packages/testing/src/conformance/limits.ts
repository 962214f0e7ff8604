import assert from 'node:assert/strict'
import { API, acquire, adopt, limit, release } from './commands.ts'
import { ask, grantedTo, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function limitRules(rule: Rule): void {
  rule('1. a limit of N grants N slots and refuses the next, whichever Manager asks', async (lab) => {
    const managers = await lab.managers(3)
    for (let n = 0; n < 3; n++) await grantedTo(managers[n % 3] as (typeof managers)[0], ask(repo(3), n))
    for (const manager of managers)
      assert.deepEqual(
        await manager.acquireSlot(ask(repo(3), 'next')),
        { kind: 'refused', reason: 'limit', running: 3, limit: 3 },
        'a fourth slot must be refused',
      )
    const { running, limit: told } = await managers[0].getCurrentSlots('acme/api')
    assert.deepEqual({ running, told }, { running: 3, told: 3 })
  })

  rule(
    '1. of many who ask for the last slots at once, from many Managers, exactly as many get one as there are',
    async (lab) => {
      const managers = await lab.managers(6)
      const asked = managers.flatMap((manager, m) =>
        [0, 1, 2, 3].map((n) => manager.acquireSlot(ask(repo(5), `${m}-${n}`))),
      )
      const kinds = (await Promise.all(asked)).map((outcome) => outcome.kind)
      assert.equal(
        kinds.filter((kind) => kind === 'granted').length,
        5,
        `of 24 that asked at once, with a limit of 5: ${kinds}`,
      )
      assert.equal(kinds.filter((kind) => kind === 'refused').length, 19)
    },
  )

  rule('1. a slot that is free is granted: a refusal never rests on what was true before', async (lab) => {
    const [a, b] = await lab.managers(2)
    for (let n = 0; n < 10; n++) {
      const slot = await grantedTo(a, ask(repo(1), `a-${n}`))
      assert.equal((await b.acquireSlot(ask(repo(1), `b-${n}`))).kind, 'refused')
      await slot.release()
      const next = await grantedTo(b, ask(repo(1), `b-${n}`))
      assert.equal((await a.acquireSlot(ask(repo(1), `c-${n}`))).kind, 'refused')
      await next.release()
    }
  })

  rule(
    '1. without a limit (absent, null or 0) every run gets a slot, and a limit set later counts them',
    async (lab) => {
      const manager = await lab.manager()
      const slots = []
      for (const [n, open] of [repo(), repo(null), repo(0)].entries())
        slots.push(await grantedTo(manager, ask(open, n)))
      for (const slot of slots)
        assert.equal(slot.slotNumber, undefined, 'no slot has a number while there is no limit')
      assert.equal((await manager.getCurrentSlots('acme/api')).limit, 'unlimited')
      assert.deepEqual(await manager.acquireSlot(ask(repo(3), 'next')), {
        kind: 'refused',
        reason: 'limit',
        running: 3,
        limit: 3,
      })
      await slots[0]?.release()
      assert.equal((await grantedTo(manager, ask(repo(3), 'next'))).slotNumber, 1)
    },
  )

  rule('1. a lowered limit ends no slot, and nothing is granted until enough have ended', async (lab) => {
    const [a, b] = await lab.managers(2)
    const slots = []
    for (let n = 0; n < 4; n++) slots.push(await grantedTo(a, ask(repo(4), n)))
    const [waiting] = await lab.queue(b, [ask(repo(2), 'next')])
    assert.equal((await b.getCurrentSlots('acme/api')).running, 4, 'all four still run')
    for (const slot of slots) assert.equal(slot.isHeld, true)
    for (const [n, slot] of slots.slice(0, 2).entries()) {
      const released = await slot.release()
      assert.deepEqual(released, { kind: 'released', promoted: [] }, `${3 - n} still run, the limit is 2`)
    }
    assert.equal(waiting.slot, undefined)
    assert.deepEqual(await slots[2]?.release(), { kind: 'released', promoted: [run('next')] })
    await lab.settles('the waiting run is granted', waiting.promise)
  })

  rule('1. a raised limit wakes as many as it has room for, in order', async (lab) => {
    const [a, b] = await lab.managers(2)
    await grantedTo(a, ask(repo(1), 'first'))
    const waiting = await lab.queue(
      b,
      [0, 1, 2, 3].map((n) => ask(repo(1), n)),
    )
    assert.deepEqual(await a.setRepositoryLimit(repo(3)), { kind: 'set', limit: 3 })
    await lab.settles('the first two are granted', Promise.all([waiting[0]?.promise, waiting[1]?.promise]))
    assert.deepEqual(
      (await a.getQueuedPipelineRuns('acme/api')).map((entry) => entry.run),
      [run(2), run(3)],
    )
    await a.setRepositoryLimit(repo(0))
    await lab.settles('all are granted', Promise.all(waiting.map((one) => one.promise)))
  })

  rule(
    '1. only adopting a run that provably runs exceeds the limit, and then nothing is granted until enough have ended',
    async (lab) => {
      const desk = await lab.desk()
      const holder = await desk.holder()
      const first = await desk.send(acquire({ run: run(1), ticket: desk.ticket(), holder }))
      assert.equal(first.kind, 'granted')
      const beyond = { runUid: undefined, claimTimeoutMs: 60_000, leaseTtlMs: 60_000 }
      const adopted = await desk.send(adopt({ run: run(2), ticket: desk.ticket(), holder, beyond }))
      assert.equal(adopted.kind, 'granted')
      assert.equal((await desk.repository(API))?.live, 2)
      const refused = await desk.send(acquire({ run: run(3), ticket: desk.ticket(), holder }))
      assert.deepEqual(refused, { kind: 'refused', reason: 'limit', running: 2, limit: 1 })
    },
  )

  rule('1. slot numbers are free ones from 1 to the limit, beyond 32 and 64 as well', async (lab) => {
    const desk = await lab.desk()
    const holder = await desk.holder()
    const most = 70
    const take = (n: number | string) =>
      acquire({ run: run(n), ticket: desk.ticket(), holder, mode: 'wait', proposal: { limit: most } })
    await desk.sendAll(Array.from({ length: most }, (_, n) => take(n)))
    const { runs } = await desk.read(API)
    assert.deepEqual(
      runs.map((row) => row.number).sort((a, b) => a - b),
      Array.from({ length: most }, (_, n) => n + 1),
    )
    const given = new Map(runs.map((row) => [row.number, row]))
    for (const number of [33, 1, 64, 32, 65]) {
      const row = given.get(number)
      assert.ok(row)
      await desk.send(release({ run: row.run, token: row.token, ticket: desk.ticket() }))
      const next = await desk.send(take(`next-${number}`))
      assert.equal(next.kind === 'granted' ? next.row.number : 0, number, 'the number that is free is given')
    }
    assert.deepEqual(await desk.send(limit({ ticket: desk.ticket(), proposal: { limit: 1 } })), {
      kind: 'set',
      limit: 1,
    })
    assert.equal((await desk.repository(API))?.live, most)
  })
}
