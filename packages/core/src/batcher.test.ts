import { describe, expect, test } from 'vitest'
import { Batcher, type BatcherHost, backOffMs, toSlotkeeperError } from './batcher.ts'
import type { Clock } from './clock.ts'
import type { Command, WatchCommand } from './commands.ts'
import { DirectCalls } from './direct-calls.ts'
import type { DomainBatch, Driver } from './driver.ts'
import { isSlotkeeperError, StoreError } from './errors.ts'
import type { RepositoryKey } from './keys.ts'

describe('batcher', () => {
  test('commands of one tick travel in one call, each domain in its own batch and in order', async () => {
    const { batcher, calls, answer } = scene()
    const all = [
      ask(batcher, 'a/1', command('t1')),
      ask(batcher, 'a/2', command('t2')),
      ask(batcher, 'a/1', command('t3')),
    ]
    await tick()
    expect(calls.map(shown)).toEqual([{ 'a/1': ['t1', 't3'], 'a/2': ['t2'] }])
    answer(0)
    await Promise.all(all)
  })

  test('while a domain is under way its commands gather; other domains do not wait', async () => {
    const { batcher, calls, answer } = scene()
    const first = ask(batcher, 'a/1', command('t1'))
    await tick()
    const later = [ask(batcher, 'a/1', command('t2')), ask(batcher, 'a/2', command('t3'))]
    await tick()
    const last = ask(batcher, 'a/1', command('t4'))
    await tick()
    expect(calls.map(shown)).toEqual([{ 'a/1': ['t1'] }, { 'a/2': ['t3'] }])
    answer(0)
    await first
    await tick()
    expect(calls.map(shown)[2]).toEqual({ 'a/1': ['t2', 't4'] })
    answer(1)
    answer(2)
    await Promise.all([...later, last])
  })

  test('what gathers while a driver has to wait goes along when it begins, as far as there is room', async () => {
    const { batcher, calls, answer } = scene({ budget: 3 })
    const settled: string[] = []
    const asked = (name: string) => ask(batcher, 'a/1', command(name)).then(() => settled.push(name))
    void asked('t1')
    await tick()
    for (const name of ['t2', 't3', 't4', 't5']) void asked(name)
    calls[0]?.batches[0]?.join?.()
    expect(calls.map(shown)).toEqual([{ 'a/1': ['t1', 't2', 't3'] }])
    void asked('t6')
    calls[0]?.batches[0]?.join?.()
    answer(0)
    await tick()
    expect(settled).toEqual(['t1', 't2', 't3'])
    expect(calls.map(shown)[1]).toEqual({ 'a/1': ['t4', 't5', 't6'] })
    calls[0]?.batches[0]?.join?.()
    answer(1)
    await tick()
    expect(settled).toEqual(['t1', 't2', 't3', 't4', 't5', 't6'])
  })

  test('what found no room goes first into the next batch', async () => {
    const { batcher, calls, answer } = scene()
    const settled: string[] = []
    for (const name of ['t1', 't2', 't3'])
      void ask(batcher, 'a/1', command(name)).then(() => settled.push(name))
    await tick()
    void ask(batcher, 'a/1', command('t4')).then(() => settled.push('t4'))
    answer(0, (batch) => ({ decided: batch.commands.length - 2, more: true }))
    await tick()
    expect(settled).toEqual(['t1'])
    expect(calls.map(shown)[1]).toEqual({ 'a/1': ['t2', 't3', 't4'] })
    answer(1)
    await tick()
    expect(settled).toEqual(['t1', 't2', 't3', 't4'])
  })

  test('more commands at once than a call has room for arguments are cut as well', async () => {
    const { batcher, calls } = scene({ budget: 2 })
    for (let at = 0; at < 200_000; at++) void ask(batcher, 'a/1', command(`t${at}`))
    await tick()
    expect(calls.map(shown)).toEqual([{ 'a/1': ['t0', 't1'] }])
  })

  test('a batch is never longer than the budget', async () => {
    const { batcher, calls, answer } = scene({ budget: 2 })
    for (const name of ['t1', 't2', 't3']) void ask(batcher, 'a/1', command(name))
    await tick()
    answer(0)
    await tick()
    expect(calls.map(shown)).toEqual([{ 'a/1': ['t1', 't2'] }, { 'a/1': ['t3'] }])
  })

  test('a domain with more to do is decided again without commands', async () => {
    const { batcher, calls, answer } = scene()
    batcher.nudge('a/1')
    await tick()
    answer(0, () => ({ decided: 0, more: true }))
    await tick()
    answer(1)
    await tick()
    expect(calls.map(shown)).toEqual([{ 'a/1': [] }, { 'a/1': [] }])
  })

  test('a failing domain fails only its own commands, and its next ones go on', async () => {
    const { batcher, calls, answer } = scene()
    const lost = ask(batcher, 'a/1', command('t1'))
    const kept = ask(batcher, 'a/2', command('t2'))
    await tick()
    const next = ask(batcher, 'a/1', command('t3'))
    const failure = new StoreError('SLOTKEEPER_STORE_UNAVAILABLE', 'away')
    answer(0, (batch) => (batch.domain === 'a/1' ? failure : { decided: 1, more: false }))
    await expect(lost).rejects.toBe(failure)
    await kept
    await tick()
    expect(calls.map(shown)[1]).toEqual({ 'a/1': ['t3'] })
    answer(1)
    await next
  })

  test('what belongs to one list with what failed fails as well, so that nothing passes it; others go on', async () => {
    const { batcher, calls, answer } = scene({ budget: 2 })
    const list = {}
    const listed = ['t1', 't2', 't3'].map((ticket) => ask(batcher, 'a/1', command(ticket), list))
    const other = ask(batcher, 'a/1', command('t4'))
    await tick()
    const failure = new StoreError('SLOTKEEPER_STORE_UNAVAILABLE', 'away')
    answer(0, () => failure)
    expect(await Promise.allSettled(listed)).toEqual(Array(3).fill({ status: 'rejected', reason: failure }))
    await tick()
    expect(calls.map(shown)).toEqual([{ 'a/1': ['t1', 't2'] }, { 'a/1': ['t4'] }])
    answer(1)
    await other
  })

  test('a domain that is done is answered before the slow ones', async () => {
    const { batcher, calls, answer } = scene()
    const quick = ask(batcher, 'a/1', command('t1'))
    const slow = ask(batcher, 'a/2', command('t2'))
    await tick()
    const batch = calls[0]?.batches[0] as DomainBatch
    batch.decision = { decided: 1, more: false, granted: [] }
    batch.done()
    await quick
    answer(0)
    await slow
  })

  test('a call that takes too long fails retryably and is told to stop', async () => {
    const { batcher, calls, ring } = scene()
    const asked = ask(batcher, 'a/1', command('t1'))
    await tick()
    ring()
    const error = await asked.catch((reason: unknown) => reason)
    expect(isSlotkeeperError(error, 'SLOTKEEPER_CALL_TIMEOUT') && error.retryable).toBe(true)
    expect(calls[0]?.signal?.aborted).toBe(true)
  })

  test('a driver that rejects, throws, or answers nothing fails the commands with a code', async () => {
    const { batcher, calls } = scene()
    const asked = ask(batcher, 'a/1', command('t1'))
    await tick()
    calls[0]?.reject(new Error('ECONNRESET'))
    await expect(asked).rejects.toMatchObject({
      code: 'SLOTKEEPER_STORE_UNAVAILABLE',
      retryable: true,
      message: expect.stringContaining('ECONNRESET'),
    })
    const silent = ask(batcher, 'a/1', command('t2'))
    await tick()
    calls[1]?.resolve()
    await expect(silent).rejects.toMatchObject({
      code: 'SLOTKEEPER_INTERNAL',
      message: expect.stringContaining('neither a decision nor an error'),
    })
  })

  test('closing ends what is under way', async () => {
    const { batcher, calls, closing } = scene()
    const asked = ask(batcher, 'a/1', command('t1'))
    await tick()
    const reason = new StoreError('SLOTKEEPER_STORE_UNAVAILABLE', 'closed')
    closing.abort(reason)
    await expect(asked).rejects.toBe(reason)
    expect(calls[0]?.signal?.aborted).toBe(true)
  })

  test('every commit is told to the Manager, failed ones are not', async () => {
    const { batcher, answer, told } = scene()
    void ask(batcher, 'a/1', command('t1'))
    void ask(batcher, 'a/2', command('t2')).catch(() => {})
    await tick()
    answer(0, (batch) =>
      batch.domain === 'a/2'
        ? new StoreError('SLOTKEEPER_STORE_UNAVAILABLE', 'away')
        : { decided: 1, more: false },
    )
    await tick()
    expect(told).toEqual(['a/1'])
  })
  test('a call that was answered at once is not awaited', async () => {
    const told: string[] = []
    const { batcher } = atOnce(0, (batch) => told.push(...batch.commands.map(({ ticket }) => ticket)))
    const asked = ask(batcher, 'a/1', command('t1'))
    await Promise.resolve()
    expect(told).toEqual(['t1'])
    await asked
  })

  test('after an answer at once that took long, the commands of one turn of the event loop gather', async () => {
    for (const [ms, calls] of [
      [0, [['t1'], ['t2'], ['t3']]],
      [1, [['t1'], ['t2', 't3']]],
    ] as const) {
      const told: string[][] = []
      const { batcher } = atOnce(ms, (batch) => told.push(batch.commands.map(({ ticket }) => ticket)))
      await ask(batcher, 'a/1', command('t1'))
      const later = ['t2', 't3'].map(async (ticket, at) => {
        // Long after each other for microtasks, yet in one turn.
        for (let pass = 0; pass < 50 * at; pass++) await Promise.resolve()
        await ask(batcher, 'a/1', command(ticket))
      })
      await Promise.all(later)
      expect(told).toEqual(calls)
    }
  })

  test('what an answer that had to wait lets go on travels together, though some of it is asked for later', async () => {
    const told: string[][] = []
    const { batcher } = atOnce(
      0,
      (batch) => told.push(batch.commands.map(({ ticket }) => ticket)),
      () => Promise.resolve(),
    )
    await Promise.all(['t1', 't2'].map((ticket) => ask(batcher, 'a/1', command(ticket))))
    const later = ['t3', 't4'].map(async (ticket, at) => {
      for (let pass = 0; pass < 50 * at; pass++) await Promise.resolve()
      await ask(batcher, 'a/1', command(ticket))
    })
    await Promise.all(later)
    expect(told).toEqual([
      ['t1', 't2'],
      ['t3', 't4'],
    ])
  })

  test('a driver that throws at once fails the call', async () => {
    const failure = new StoreError('SLOTKEEPER_STORE_UNAVAILABLE', 'away')
    const { batcher } = atOnce(0, () => {
      throw failure
    })
    await expect(ask(batcher, 'a/1', command('t1'))).rejects.toBe(failure)
  })
})

describe('a synchronous driver', () => {
  test('is asked until every command is decided', () => {
    const asked: string[][] = []
    const host = syncHost((batch) => {
      asked.push(batch.commands.map(({ ticket }) => ticket))
      batch.decision = { decided: 1, more: true, granted: [] }
    })
    new DirectCalls(host).decideAll('a/1', [command('t1'), command('t2')])
    expect(asked).toEqual([['t1', 't2'], ['t2']])
  })

  test('may be asked again by those who are told of a commit', () => {
    const asked: string[] = []
    const host: BatcherHost = {
      ...syncHost((batch) => {
        asked.push(...batch.commands.map(({ ticket }) => ticket))
        batch.decision = { decided: batch.commands.length, more: false, granted: [] }
      }),
      committed: () => {
        if (asked.length === 1) calls.decideOne(command('t2'))
      },
    }
    const calls = new DirectCalls(host)
    calls.decideOne(command('t1'))
    calls.decideOne(command('t3'))
    expect(asked).toEqual(['t1', 't2', 't3'])
  })

  test('throws what its domain failed with, and is called out when it did not decide', () => {
    const failure = new StoreError('SLOTKEEPER_STORE_UNAVAILABLE', 'away')
    expect(() => new DirectCalls(syncHost((batch) => (batch.error = failure))).decideAll('a/1', [])).toThrow(
      failure,
    )
    expect(() => new DirectCalls(syncHost(() => {})).decideAll('a/1', [])).toThrow(/did not decide at once/)
  })
})

test('whatever was thrown has a code', () => {
  const known = new StoreError('SLOTKEEPER_STORE_UNAVAILABLE', 'away')
  expect(toSlotkeeperError(known)).toBe(known)
  for (const thrown of [new Error('boom'), 'boom', undefined])
    expect(isSlotkeeperError(toSlotkeeperError(thrown), 'SLOTKEEPER_STORE_UNAVAILABLE')).toBe(true)
  const cause = new Error('boom')
  expect(toSlotkeeperError(cause).cause).toBe(cause)
})

test('pauses double up to a second, and two callers do not pause alike', () => {
  const pauses = [0, 1, 5, 6, 60].map((attempt) => [backOffMs(attempt, () => 0), backOffMs(attempt, () => 1)])
  expect(pauses).toEqual([
    [10, 20],
    [20, 40],
    [320, 640],
    [500, 1000],
    [500, 1000],
  ])
})

interface Call {
  readonly batches: readonly DomainBatch[]
  readonly signal: AbortSignal | undefined
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

function scene(options: { budget?: number } = {}) {
  const calls: Call[] = []
  const told: string[] = []
  const rings = new Set<() => void>()
  const closing = new AbortController()
  const clock: Clock = {
    monotonic: () => 0,
    uptime: () => 0,
    wall: () => 0,
    schedule: (ring) => {
      rings.add(ring)
      return () => rings.delete(ring)
    },
    keepAlive: () => () => {},
  }
  const driver = {
    name: 'fake',
    manifest: { budget: options.budget ?? 100 },
    transact: (batches: readonly DomainBatch[], _decide: unknown, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => calls.push({ batches, signal, resolve, reject })),
  } as unknown as Driver
  const host: BatcherHost = {
    driver,
    decide: () => ({ decided: 0, more: false, granted: [] }),
    clock,
    callTimeoutMs: 1000,
    closing: closing.signal,
    holder: () => undefined,
    committed: (batch) => told.push(batch.domain),
  }
  /** Answers a call; by default everything was decided. */
  const answer = (
    at: number,
    how: (batch: DomainBatch) => { decided: number; more: boolean } | StoreError = all,
  ) => {
    const call = calls[at] as Call
    for (const batch of call.batches) {
      const answered = how(batch)
      if (answered instanceof StoreError) batch.error = answered
      else batch.decision = { ...answered, granted: [] }
    }
    call.resolve()
  }
  return {
    batcher: new Batcher(host),
    calls,
    answer,
    told,
    closing,
    ring: () => [...rings].forEach((ring) => void ring()),
  }
}

/** A batcher over a driver that decides at once, in so many ms of its clock; `answer` says what its calls return, from 0. */
function atOnce(
  ms: number,
  tell: (batch: DomainBatch) => void,
  answer: (at: number) => Promise<void> | undefined = () => undefined,
) {
  let now = 0
  let calls = 0
  const driver = {
    name: 'fake',
    manifest: { budget: 100 },
    transact: (batches: readonly DomainBatch[]) => {
      now += ms
      for (const batch of batches) {
        tell(batch)
        batch.decision = { ...all(batch), granted: [] }
      }
      return answer(calls++)
    },
  } as unknown as Driver
  const host = {
    driver,
    decide: () => ({ decided: 0, more: false, granted: [] }),
    clock: { monotonic: () => now },
    callTimeoutMs: 1000,
    closing: new AbortController().signal,
    holder: () => undefined,
    committed: () => {},
  } as unknown as BatcherHost
  return { batcher: new Batcher(host) }
}

function all(batch: DomainBatch) {
  return { decided: batch.commands.length, more: false }
}

function syncHost(transact: (batch: DomainBatch) => void): BatcherHost {
  const driver = {
    name: 'fake',
    transact: ([batch]: DomainBatch[]) => transact(batch as DomainBatch),
  } as unknown as Driver
  return { driver, holder: () => undefined, committed: () => {} } as unknown as BatcherHost
}

function command(ticket: string): WatchCommand {
  return { kind: 'watch', repository: 'a/1' as RepositoryKey, ticket, forMs: 0, outcome: undefined }
}

function shown(call: Call) {
  return Object.fromEntries(
    call.batches.map((batch) => [batch.domain, batch.commands.map(({ ticket }) => ticket)]),
  )
}

/** Lets everything run that needs no timer: what gathers for a turn of the event loop goes in the second one at the latest. */
async function tick(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Adds a command, and settles with it. */
function ask(batcher: Batcher, domain: string, command: Command, list?: object): Promise<void> {
  return new Promise((resolve, reject) => batcher.add(domain, { command, resolve, reject, list }))
}
