import assert from 'node:assert/strict'
import { API, acquire, enqueue, repositoryState } from './commands.ts'
import { ask, grantedTo, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function orderRules(rule: Rule): void {
  rule(
    '3. among those who wait the highest priority goes first, then the one that asked first',
    async (lab) => {
      const [a, b, c] = await lab.managers(3)
      let slot = await grantedTo(a, ask(repo(1), 'first'))
      const asked = [
        { name: 'low', priority: -7, by: b },
        { name: 'early', priority: 0, by: c },
        { name: 'late', priority: 0, by: b },
        { name: 'high', priority: 9, by: c },
        { name: 'higher', priority: 2 ** 31 - 1, by: b },
        { name: 'lowest', priority: -(2 ** 31), by: c },
      ]
      const waiting = new Map<string, Promise<typeof slot>>()
      for (const { name, priority, by } of asked) {
        const [one] = await lab.queue(by, [ask(repo(1), name, { priority })])
        waiting.set(name, one.promise)
      }
      const order = ['higher', 'high', 'early', 'late', 'low', 'lowest']
      assert.deepEqual(
        (await a.getQueuedPipelineRuns('acme/api')).map((entry) => entry.run),
        order.map(run),
      )
      for (const name of order) {
        assert.deepEqual(await slot.release(), { kind: 'released', promoted: [run(name)] })
        slot = await lab.settles(`${name} is granted`, waiting.get(name) as Promise<typeof slot>)
      }
    },
  )

  rule('3. priorities of one batch are kept, and so is the order of a list', async (lab) => {
    const [a, b] = await lab.managers(2)
    await a.setRepositoryState('acme/api', 'paused')
    await a.queueManager.addToPendingQueue(
      repo(2),
      [2, 0, 5, 2, 5].map((priority, n) => ({ run: run(n), priority })),
    )
    await b.queueManager.addListToRunningQueue(repo(2), ['z', 'a', 'm'].map(run))
    const order = [2, 4, 0, 3, 1, 'z', 'a', 'm'].map(run)
    assert.deepEqual(
      (await b.queueManager.queuedPipelineRuns('acme/api')).map((entry) => entry.run),
      order,
    )
    await a.setRepositoryState('acme/api', 'active')
    const slots = await b.getRunningPipelineRuns('acme/api')
    assert.deepEqual(
      slots.map((slot) => slot.run),
      order.slice(0, 2),
      'the first two got the free slots',
    )
  })

  rule('3. priorities of one batch decide who of it is granted', async (lab) => {
    const manager = await lab.manager()
    const outcomes = await manager.queueManager.addToPendingQueue(repo(1), [
      { run: run('low'), priority: 1 },
      { run: run('high'), priority: 2 },
    ])
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      ['waiting', 'reserved'],
    )
  })

  rule('3. acquireSlot and tryAcquireSlot try once and never enqueue', async (lab) => {
    const [a, b] = await lab.managers(2)
    const slot = await grantedTo(a, ask(repo(1), 'first'))
    assert.equal((await b.acquireSlot(ask(repo(1), 1))).kind, 'refused')
    assert.equal((await b.queueManager.tryAcquireSlot(ask(repo(1), 2, { priority: 9 }))).kind, 'refused')
    assert.equal((await b.acquireSlot(ask(repo(1), 3, { durable: true }))).kind, 'refused')
    assert.deepEqual(await a.getQueuedPipelineRuns('acme/api'), [])
    assert.deepEqual(await slot.release(), { kind: 'released', promoted: [] })
  })

  rule('3. acquireSlot never passes the queue, whatever its priority', async (lab) => {
    const desk = await lab.desk()
    const holder = await desk.holder()
    await desk.send(repositoryState({ ticket: desk.ticket(), state: 'paused' }))
    await desk.send(enqueue({ run: run('waits'), ticket: desk.ticket() }))
    const [, tried] = await desk.sendAll([
      repositoryState({ ticket: desk.ticket(), state: 'active' }),
      acquire({ run: run('tries'), ticket: desk.ticket(), holder, priority: 99 }),
    ])
    assert.deepEqual(tried, { kind: 'refused', reason: 'queue', running: 0, limit: 1 })
    assert.equal((await desk.row(API, run('waits')))?.phase, 'reserved')
    assert.equal(await desk.row(API, run('tries')), undefined, 'it left nothing behind')
  })

  rule('3. who waits is not passed by one that comes while there is room', async (lab) => {
    const [a, b] = await lab.managers(2)
    const slot = await grantedTo(a, ask(repo(1), 'first'))
    const [waiting] = await lab.queue(b, [ask(repo(1), 'waits')])
    // One round trip: the release makes room and the other asks for it.
    const [, tried] = await Promise.all([
      slot.release(),
      a.acquireSlot(ask(repo(1), 'tries', { priority: 5 })),
    ])
    assert.equal(tried.kind, 'refused')
    await lab.settles('the one that waited is granted', waiting.promise)
  })

  rule('3. retrying never moves a run', async (lab) => {
    const [a, b] = await lab.managers(2)
    await grantedTo(a, ask(repo(1), 'first'))
    const order = [0, 1, 2, 3].map(run)
    await a.queueManager.addListToRunningQueue(repo(1), order)
    const again = await b.queueManager.addListToRunningQueue(repo(1), [...order].reverse())
    assert.deepEqual(
      again.map((outcome) => outcome.kind === 'waiting' && outcome.place),
      [4, 3, 2, 1],
    )
    await b.queueManager.addToPendingQueue(repo(1), [{ run: run(3), priority: 5 }])
    assert.equal((await b.acquireSlot(ask(repo(1), 2))).kind, 'refused')
    assert.deepEqual(
      (await a.getQueuedPipelineRuns('acme/api')).map((entry) => entry.run),
      order,
    )
  })

  rule('3. a newer wait for the same run takes over the place of the older one', async (lab) => {
    const [a, b] = await lab.managers(2)
    const slot = await grantedTo(a, ask(repo(1), 'first'))
    const [older] = await lab.queue(b, [ask(repo(1), 1)])
    await lab.queue(b, [ask(repo(1), 2)])
    const newer = lab.wait(b, ask(repo(1), 1))
    await lab.until('the older wait is superseded', () => older.error !== undefined)
    assert.equal((older.error as { code?: string }).code, 'SLOTKEEPER_SUPERSEDED')
    assert.deepEqual(await slot.release(), { kind: 'released', promoted: [run(1)] })
    await lab.settles('the newer wait is granted', newer.promise)
  })

  rule('3. places are told as they are', async (lab) => {
    const [a, b] = await lab.managers(2)
    await grantedTo(a, ask(repo(1), 'first'))
    const outcomes = await a.queueManager.addListToRunningQueue(repo(1), [0, 1, 2].map(run))
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind === 'waiting' && outcome.place),
      [1, 2, 3],
    )
    const { kind, place, ahead, holders } = await b.explain('acme/api', run(2))
    assert.deepEqual({ kind, place }, { kind: 'waiting', place: 3 })
    assert.deepEqual(
      ahead.map((entry) => entry.run),
      [run(0), run(1)],
    )
    assert.deepEqual(
      holders.map((holder) => holder.run),
      [run('first')],
    )
    assert.deepEqual(
      (await b.getQueuedPipelineRuns('acme/api', { first: 2 })).map((entry) => entry.run),
      [run(0), run(1)],
    )
  })
}
