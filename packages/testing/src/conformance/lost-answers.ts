import assert from 'node:assert/strict'
import { API, acquire, enqueue } from './commands.ts'
import { batchOf } from './desk.ts'
import { ask, grantedTo, HASTY_MS, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function lostAnswerRules(rule: Rule): void {
  for (const silently of [false, true]) {
    const how = silently ? 'never comes' : 'is an error'
    const options = { callTimeoutMs: HASTY_MS }
    // Long enough for a second try after a first that hangs until its time is over.
    const patient = { timeoutMs: 5000 }

    rule(
      `12. an acquire whose answer ${how} is found out by asking again: granted once, never twice`,
      async (lab) => {
        const { manager, faults } = await lab.faulty(options)
        const b = await lab.manager()
        faults.loseAnswers({ calls: ['transact'], times: 1, silently })
        const outcome = await manager.acquireSlot(ask(repo(1), 1, patient))
        assert.equal(outcome.kind, 'granted')
        faults.loseAnswers({ calls: ['openHolder'], times: 1, silently })
        const [slot] = await b.getRunningPipelineRuns('acme/api')
        assert.ok(outcome.kind === 'granted' && slot?.leaseId === outcome.slot.leaseId)
        assert.equal((await b.getCurrentSlots('acme/api')).running, 1)
      },
    )

    rule(`12. a wait whose answer ${how} goes on, and is granted in its turn`, async (lab) => {
      const { manager, faults } = await lab.faulty(options, { manifest: { backstopMs: 100 } })
      const b = await lab.manager()
      const slot = await grantedTo(b, ask(repo(1), 'first'))
      await grantedTo(manager, ask(repo(1, 'other'), 'other'))
      faults.loseAnswers({ calls: ['transact'], times: 1, silently })
      const waiting = lab.wait(manager, ask(repo(1), 1))
      await lab.until(
        'it waits in the store',
        async () => (await b.getCurrentSlots('acme/api')).waiting === 1,
      )
      await slot.release()
      // A caller may be told that its call timed out; then nothing of it may be left.
      await lab.until('it is granted, or told that it failed and withdrawn', async () => {
        const { running } = await b.getCurrentSlots('acme/api')
        return waiting.slot !== undefined ? running === 1 : waiting.error !== undefined && running === 0
      })
      if (waiting.error !== undefined)
        assert.equal((waiting.error as { retryable?: boolean }).retryable, true)
    })

    rule(
      `12. a release whose answer ${how} is found out by asking again: freed once, the next is granted once`,
      async (lab) => {
        const { manager, faults } = await lab.faulty(options)
        const b = await lab.manager()
        const slot = await grantedTo(manager, ask(repo(1), 'first'))
        const waiting = await lab.queue(b, [ask(repo(1), 1), ask(repo(1), 2)])
        faults.loseAnswers({ calls: ['transact'], times: 1, silently })
        assert.deepEqual(await slot.release(patient), { kind: 'released', promoted: [run(1)] })
        await lab.settles('the next is granted', waiting[0]?.promise as Promise<unknown>)
        assert.deepEqual(
          (await b.getQueuedPipelineRuns('acme/api')).map((entry) => entry.run),
          [run(2)],
        )
      },
    )

    rule(
      `12. a claim, an enqueue and a removeAndTake whose answers ${silently ? 'never come' : 'are errors'} have one effect`,
      async (lab) => {
        const { manager, faults } = await lab.faulty(options)
        const b = await lab.manager()
        const lose = () => faults.loseAnswers({ calls: ['transact'], times: 1, silently })
        lose()
        const listed = await manager.queueManager.addListToRunningQueue(repo(1), [0, 1, 2].map(run), patient)
        assert.deepEqual(
          listed.map((outcome) => outcome.kind),
          ['reserved', 'waiting', 'waiting'],
        )
        lose()
        assert.ok(listed[0]?.kind === 'reserved')
        assert.equal((await listed[0].slot.claim(patient)).kind, 'running')
        assert.equal(listed[0].slot.isHeld, true)
        lose()
        const next = await manager.queueManager.removeAndTakeItemFromQueue(repo(1), run(0), patient)
        assert.equal(next?.run, run(1))
        const { running, reserved, waiting } = await b.getCurrentSlots('acme/api')
        assert.deepEqual({ running, reserved, waiting }, { running: 0, reserved: 1, waiting: 1 })
      },
    )
  }

  rule('12. what is delivered a second time, late and in another order, changes nothing', async (lab) => {
    const { manager, faults } = await lab.faulty()
    const desk = await lab.desk()
    faults.recordCalls()
    const first = await grantedTo(manager, ask(repo(1), 'first'))
    const [waiting] = await lab.queue(manager, [ask(repo(1), 1)])
    await manager.queueManager.addListToRunningQueue(repo(1), [run(2), run(3)])
    await first.release()
    const second = await lab.settles('the next is granted', waiting.promise)
    await manager.queueManager.removeAndTakeItemFromQueue(repo(1), run(2))
    await second.release()
    const before = await desk.read(API)
    for (const order of ['same', 'reverse', 'same'] as const) {
      await faults.deliverAgain(order)
      const after = await desk.read(API)
      assert.deepEqual(
        after.runs.map(({ run: name, phase, token, sequence }) => ({ name, phase, token, sequence })),
        before.runs.map(({ run: name, phase, token, sequence }) => ({ name, phase, token, sequence })),
      )
      assert.equal(
        after.repositories[0]?.lastToken,
        before.repositories[0]?.lastToken,
        'no token was used up',
      )
    }
  })

  rule('12. a call that was given up and comes through after all leaves no slot taken', async (lab) => {
    const { manager, faults } = await lab.faulty({ callTimeoutMs: HASTY_MS })
    const b = await lab.manager()
    faults.loseAnswers({ calls: ['transact'], silently: true })
    const refused = [manager.acquireSlot(ask(repo(1), 1)), manager.waitForSlot(ask(repo(1), 2))]
    for (const result of await Promise.allSettled(refused)) assert.equal(result.status, 'rejected')
    faults.heal()
    await lab.until('the slots of callers who were told of a failure are free', async () => {
      const { running, waiting } = await b.getCurrentSlots('acme/api')
      return running === 0 && waiting === 0
    })
    await grantedTo(b, ask(repo(1), 3))
  })

  rule('12. an aborted transact is all or nothing, and asking again tells which', async (lab) => {
    const desk = await lab.desk()
    const holder = await desk.holder()
    for (const early of [true, false]) {
      const asked = acquire({
        run: run(String(early)),
        ticket: desk.ticket(),
        holder,
        proposal: { limit: 2 },
      })
      const controller = new AbortController()
      if (early) controller.abort(new Error('aborted'))
      const batch = batchOf(API, [{ ...asked }])
      const sent = (async () => desk.driver.transact([batch], desk.decide, controller.signal))()
      controller.abort(new Error('aborted'))
      await lab.settles('an aborted call settles', Promise.allSettled([sent]))
      const live = (await desk.repository(API))?.live ?? 0
      if (batch.decision !== undefined) assert.equal(live, early ? 1 : 2, 'what was answered was committed')
      const outcome = await desk.send({ ...asked })
      assert.ok(outcome.kind === 'granted' && !outcome.again)
      assert.equal((await desk.repository(API))?.live, early ? 1 : 2)
    }
    await desk.send(enqueue({ run: run('last'), ticket: desk.ticket() }))
  })
}
