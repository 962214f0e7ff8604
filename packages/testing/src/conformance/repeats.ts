import assert from 'node:assert/strict'
import { API, acquire, claim, enqueue, release, requeue } from './commands.ts'
import { run } from './lab.ts'
import type { Rule } from './rule.ts'

export function repeatRules(rule: Rule): void {
  rule('4. a repeated command is recognised by its ticket and gets the outcome of the first', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const holder = await desk.holder()
    for (const mode of ['try', 'wait'] as const) {
      const asked = acquire({ run: run(mode), ticket: desk.ticket(), holder, mode, proposal: { limit: 2 } })
      const first = await desk.send({ ...asked })
      for (const sender of [desk, other, desk])
        assert.deepEqual(told(await sender.send({ ...asked })), told(first))
    }
    const queued = acquire({
      run: run('waits'),
      ticket: desk.ticket(),
      holder,
      mode: 'wait',
      proposal: { limit: 2 },
    })
    await desk.send({ ...queued })
    const again = await other.send({ ...queued })
    assert.ok(again.kind === 'waiting' && again.place === 1)
    const { token } = (await desk.row(API, run('try'))) ?? { token: 0 }
    const freeing = release({ run: run('try'), token, ticket: desk.ticket() })
    for (const sender of [desk, other]) {
      const freed = await sender.send({ ...freeing })
      assert.deepEqual(freed.kind === 'released' && freed.promoted, [run('waits')])
    }
    assert.deepEqual(await desk.send({ ...freeing, ticket: desk.ticket() }), { kind: 'already-released' })
    const granted = await other.send({ ...queued })
    assert.equal(granted.kind, 'granted')
    assert.equal((await desk.repository(API))?.live, 2)
  })

  rule('4. a command that comes again after its slot was given back takes no slot', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const holder = await desk.holder()
    for (const mode of ['try', 'wait', 'enqueue'] as const) {
      const asked = acquire({ run: run(mode), ticket: desk.ticket(), holder, mode })
      const first = await desk.send({ ...asked })
      assert.ok(first.kind === 'granted')
      await desk.send(release({ run: run(mode), token: first.row.token, ticket: desk.ticket() }))
      const late = await other.send({ ...asked })
      assert.equal(late.kind, 'refused', `a late ${mode}`)
      assert.equal((await desk.repository(API))?.live, 0)
    }
  })

  rule('4. a command does nothing after the store time up to which it is valid', async (lab) => {
    const desk = await lab.desk()
    const holder = await desk.holder()
    const { now } = await desk.driver.read({ kind: 'repositories', after: '', first: 1 })
    const late = { ticket: desk.ticket(), holder, validUntil: now - 1 }
    assert.deepEqual(await desk.send(acquire({ run: run(1), ...late })), { kind: 'too-late' })
    assert.equal(await desk.row(API, run(1)), undefined)
    const reserved = await desk.send(enqueue({ run: run(2), ticket: desk.ticket() }))
    assert.ok(reserved.kind === 'granted')
    assert.deepEqual(
      await desk.send(claim({ run: run(2), token: reserved.row.token, ...late, ticket: desk.ticket() })),
      { kind: 'too-late' },
    )
    assert.equal((await desk.row(API, run(2)))?.phase, 'reserved')
    const timely = acquire({
      run: run(3),
      ticket: desk.ticket(),
      holder,
      validUntil: now + 3_600_000,
      proposal: { limit: 2 },
    })
    assert.equal((await desk.send(timely)).kind, 'granted')
  })

  rule('4. a claim and a requeue that come again get the outcome of the first', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const holder = await desk.holder()
    const reserved = await desk.send(enqueue({ run: run(1), ticket: desk.ticket() }))
    assert.ok(reserved.kind === 'granted')
    const { token } = reserved.row
    const claiming = claim({ run: run(1), token, ticket: desk.ticket(), holder })
    for (const sender of [desk, other]) assert.equal((await sender.send({ ...claiming })).kind, 'running')
    await desk.send({ ...repositoryPaused(desk.ticket()) })
    const giving = requeue({ run: run(1), token, ticket: desk.ticket() })
    for (const sender of [desk, other]) assert.equal((await sender.send({ ...giving })).kind, 'requeued')
    assert.equal((await desk.repository(API))?.waiting, 1)
  })
}

function repositoryPaused(ticket: string) {
  return { kind: 'repository-state', repository: API, state: 'paused', ticket, outcome: undefined } as const
}

/** An outcome without the row's details. */
function told(outcome: { readonly kind: string; readonly row?: { readonly token: number } }): object {
  const { row, ...rest } = outcome
  return { ...rest, token: row?.token }
}
