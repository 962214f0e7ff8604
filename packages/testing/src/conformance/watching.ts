import assert from 'node:assert/strict'
import type { SlotEvent } from '@slotkeeper/core'
import type { HolderId, Query, RunKey, StoreEvent, WatchEvent } from '@slotkeeper/core/driver'
import { recordingLogger } from '../fakes/recording-logger.ts'
import { API, acquire, release, watch } from './commands.ts'
import { ask, grantedTo, type Lab, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function watchRules(rule: Rule): void {
  rule(
    '7. a watch begins with a resync; then every change is hinted at, or a resync says that some may be missed',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const heard = hear(other.driver.watch({ wants: () => true, signal: signalOf(lab) }))
      await lab.until('the watch has begun', () => heard.hints.length > 0)
      assert.deepEqual(heard.hints[0], { kind: 'resync' })
      await desk.send(watch({ ticket: desk.ticket(), forMs: 600_000 }))
      const before = heard.resyncs
      const tokens = await churn(desk, 40)
      await lab.until('every grant and every release was hinted at', () => {
        if (heard.resyncs > before) return true
        const told = (kind: string) =>
          new Set(heard.events.filter((event) => event.kind === kind).map((event) => event.token))
        const [granted, released] = [told('granted'), told('released')]
        return tokens.every((token) => granted.has(token) && released.has(token))
      })
    },
  )

  rule('7. a reader that falls behind misses nothing without a resync', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const hints = other.driver.watch({ wants: () => true, signal: signalOf(lab) })[Symbol.asyncIterator]()
    assert.deepEqual((await hints.next()).value, { kind: 'resync' })
    await desk.send(watch({ ticket: desk.ticket(), forMs: 600_000 }))
    // Far more events than a reader should be kept for, while nobody reads.
    const tokens = await churn(desk, 1500)
    const heard = hear({ [Symbol.asyncIterator]: () => hints })
    await lab.until('all were told, or a resync', () => {
      const released = new Set(
        heard.events.filter((event) => event.kind === 'released').map((event) => event.token),
      )
      return heard.resyncs > 0 || tokens.every((token) => released.has(token))
    })
  })

  rule(
    '7. a holder hears of what others do to its rows although nobody watches the repository',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const holder = await other.holder()
      const heard = hear(
        other.driver.watch({ wants: (event) => event.holder === holder, signal: signalOf(lab) }),
      )
      await lab.until('the watch has begun', () => heard.hints.length > 0)
      const by = await desk.holder()
      const first = acquire({ run: run(1), ticket: desk.ticket(), holder: by })
      await desk.transact(API, [first], by)
      assert.ok(first.outcome?.kind === 'granted')
      await other.transact(
        API,
        [acquire({ run: run(2), ticket: other.ticket(), holder, mode: 'wait' })],
        holder,
      )
      await desk.transact(
        API,
        [release({ run: run(1), token: first.outcome.row.token, ticket: desk.ticket() })],
        by,
      )
      await lab.until(
        'the grant is hinted at',
        () =>
          heard.resyncs > 1 || heard.events.some((event) => event.kind === 'granted' && event.run === run(2)),
      )
      assert.equal(
        heard.events.every((event) => event.holder === holder),
        true,
        'nothing that is not wanted',
      )
    },
  )

  rule(
    'reads: as of the hints a run is shown as the last hint of it told or later, and with every commit of the reader',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const hints = hear(other.driver.watch({ wants: () => true, signal: signalOf(lab) }))
      await lab.until('the watch has begun', () => hints.hints.length > 0)
      await desk.send(watch({ ticket: desk.ticket(), forMs: 600_000 }))
      const [by, mine] = [await desk.holder(), await other.holder()]
      const shown = async (name: RunKey, asOf: 'hints' | undefined = 'hints') => {
        const query: Query = { kind: 'runs', runs: [{ repository: API, run: name }], asOf }
        const { runs } = await other.again(() => other.driver.read(query))
        return runs[0]
      }
      for (let n = 0; n < 20; n++) {
        const name = run(n % 3)
        const outcome = await desk.send(acquire({ run: name, ticket: desk.ticket(), holder: by }))
        assert.ok(outcome.kind === 'granted')
        const { token } = outcome.row
        await other.send(
          acquire({ run: run(`mine-${n}`), ticket: other.ticket(), holder: mine, mode: 'wait' }),
        )
        assert.equal(
          (await shown(run(`mine-${n}`)))?.phase,
          'waiting',
          'what the reader itself has committed',
        )
        const from = hints.hints.length
        await desk.send(release({ run: name, token, ticket: desk.ticket() }))
        const isTold = (hint: WatchEvent) =>
          hint.kind === 'resync' ||
          (hint.kind === 'event' && hint.event.kind === 'granted' && hint.event.run === run(`mine-${n}`))
        await lab.until('the grant is hinted at', () => hints.hints.slice(from).some(isTold))
        // Then the hint may be one of those that were missed.
        const isMissed = hints.hints.slice(from).some(({ kind }) => kind === 'resync')
        if (!isMissed)
          assert.notEqual((await shown(name))?.phase, 'running', 'who was released before the grant')
        const granted = await shown(run(`mine-${n}`), isMissed ? undefined : 'hints')
        assert.ok(granted?.phase === 'running' && granted.token > token)
        await other.send(release({ run: run(`mine-${n}`), token: granted.token, ticket: other.ticket() }))
      }
    },
  )

  rule('7. a watch ends with its signal, with return, and with its driver', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const controller = new AbortController()
    const aborted = hear(desk.driver.watch({ wants: () => true, signal: controller.signal }))
    const closed = hear(other.driver.watch({ wants: () => true, signal: signalOf(lab) }))
    const returned = desk.driver.watch({ wants: () => true, signal: signalOf(lab) })[Symbol.asyncIterator]()
    await returned.next()
    await lab.until('both watch', () => aborted.hints.length > 0 && closed.hints.length > 0)
    controller.abort()
    await lab.settles('the return is answered', Promise.resolve(returned.return?.()))
    await other.driver.close()
    await lab.until('both ended', () => aborted.ended && closed.ended)
    const late = hear(desk.driver.watch({ wants: () => true, signal: controller.signal }))
    await lab.until('a watch with an aborted signal ends', () => late.ended)
  })

  rule(
    '7. a watch begins once the store has heard of it: from its first resync on nothing is missed',
    async (lab) => {
      const logger = recordingLogger()
      const { manager, faults } = await lab.faulty({ logger })
      const other = await lab.manager()
      await other.setRepositoryLimit(repo(1))
      faults.fail({ calls: ['transact'] })
      const told: SlotEvent[] = []
      const stop = manager.queueManager.setupWatcher('acme/api', (event) => told.push(event))
      const controller = new AbortController()
      const first = (async () => {
        for await (const event of manager.watchSlotAvailability('acme/api', { signal: controller.signal }))
          return event
      })()
      await lab.until('it was tried', () => logger.find('store-error') !== undefined)
      assert.equal(told.length, 0, 'the store does not know of the watch yet')
      faults.heal()
      assert.equal((await lab.settles('the iteration begins', first))?.kind, 'resync')
      await (await grantedTo(other, ask(repo(1), 'after'))).release()
      await lab.until('what came after it is told', () =>
        told.some((event) => event.kind === 'released' && event.run === run('after')),
      )
      assert.equal(told[0]?.kind, 'resync')
      stop()
      controller.abort()
    },
  )

  rule(
    '7. setupWatcher and watchSlotAvailability tell everything that happens in a repository, wherever it is done',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      const called: SlotEvent[] = []
      const iterated: SlotEvent[] = []
      const stop = a.queueManager.setupWatcher('acme/api', (event) => {
        called.push(event)
        throw new Error('a callback that throws is called again')
      })
      const controller = new AbortController()
      const iteration = (async () => {
        for await (const event of a.watchSlotAvailability('acme/api', { signal: controller.signal }))
          iterated.push(event)
      })()
      await lab.until('the watch has begun', () => iterated.length > 0 && called.length > 0)
      assert.deepEqual([iterated[0]?.kind, called[0]?.kind], ['resync', 'resync'])
      for (const manager of [a, b]) {
        const name = manager === a ? 'mine' : 'theirs'
        const slot = await grantedTo(manager, ask(repo(1), name))
        await manager.queueManager.addListToRunningQueue(repo(1), [run(`${name}-listed`)])
        await slot.release()
        await manager.queueManager.removeAndTakeItemFromQueue(repo(1), run(`${name}-listed`))
        for (const events of [called, iterated])
          await lab.until(`${name} were told`, () => {
            const told = events.map((event) => `${event.kind} ${event.run}`)
            return (
              told.includes(`granted ${run(name)}`) &&
              told.includes(`enqueued ${run(`${name}-listed`)}`) &&
              told.includes(`released ${run(`${name}-listed`)}`)
            )
          })
        const grant = called.find((event) => event.kind === 'granted' && event.run === run(name))
        assert.deepEqual(
          [grant?.leaseId, grant?.slotNumber, grant?.holder],
          [slot.leaseId, 1, manager.holder],
        )
      }
      stop()
      controller.abort()
      await lab.settles('the iteration ends', iteration)
    },
  )
}

/** What a watch has told so far. */
interface Heard {
  readonly hints: WatchEvent[]
  readonly events: StoreEvent[]
  resyncs: number
  ended: boolean
}

function hear(hints: AsyncIterable<WatchEvent>): Heard {
  const heard: Heard = { hints: [], events: [], resyncs: 0, ended: false }
  const reading = (async () => {
    for await (const hint of hints) {
      heard.hints.push(hint)
      if (hint.kind === 'event') heard.events.push(hint.event)
      else heard.resyncs++
    }
  })()
  // A watch of a closed driver may fail; whatever it does, it is over.
  reading.then(
    () => {
      heard.ended = true
    },
    () => {
      heard.ended = true
    },
  )
  return heard
}

/** A signal that aborts when the test is over. */
function signalOf(lab: Lab): AbortSignal {
  const controller = new AbortController()
  lab.later(() => controller.abort())
  return controller.signal
}

/** Grants and releases of many runs; returns their tokens. */
async function churn(desk: Awaited<ReturnType<Lab['desk']>>, count: number): Promise<number[]> {
  const tokens: number[] = []
  const by: HolderId = await desk.holder()
  for (let from = 0; from < count; from += 50) {
    const runs = Array.from({ length: Math.min(50, count - from) }, (_, n) => run(from + n))
    const proposal = { limit: 0 }
    const granted = await desk.sendAll(
      runs.map((name) => acquire({ run: name, ticket: desk.ticket(), holder: by, mode: 'wait', proposal })),
    )
    const rows = granted.flatMap((outcome) =>
      outcome.kind === 'granted' ? [{ run: outcome.row.run, token: outcome.row.token }] : [],
    )
    tokens.push(...rows.map((row) => row.token))
    await desk.sendAll(rows.map((row) => release({ ...row, ticket: desk.ticket() })))
  }
  return tokens
}
