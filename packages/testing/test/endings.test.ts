import { Manager, type ManagerOptions, type RunKey, repository, type SlotRequest } from '@slotkeeper/core'
import type { DomainBatch } from '@slotkeeper/core/driver'
import { memoryDriver, memoryStore } from '@slotkeeper/driver-memory'
import { expect, onTestFinished, test } from 'vitest'
import { recordingLogger } from '../src/fakes/recording-logger.ts'
import { faultyDriver } from '../src/faults/faulty-driver.ts'

const RUN: RunKey = 'acme/run'
const NEXT: RunKey = 'acme/next'
const hot = repository('acme/hot', { concurrencyLimit: 1 })

/** A Manager behind a network that fails when it is told to, and one that looks at the same store from elsewhere. */
function scene(options: Partial<ManagerOptions> = {}) {
  const store = memoryStore()
  const inner = memoryDriver({ store })
  const heard: string[] = []
  const transact = inner.transact.bind(inner)
  inner.transact = (batches: readonly DomainBatch[], ...more) => {
    heard.push(...batches.flatMap(({ commands }) => commands.map(({ kind }) => kind)))
    const done = transact(batches, ...more)
    // The next attempt fails before the store has heard it.
    if (isLast) away()
    return done
  }
  let isLast = false
  const driver = faultyDriver(inner, { asynchronous: true })
  /** The store hears of no command any more. */
  const away = () => driver.fail({ calls: ['transact'] })
  const logger = recordingLogger()
  const manager = new Manager({ ...options, driver, logger })
  const witness = new Manager({ driver: memoryDriver({ store }) })
  onTestFinished(async () => {
    driver.heal()
    await Promise.all([manager.close(), witness.close()])
  })
  return {
    ...{ driver, logger, manager, witness },
    away,
    /** Slots by the store. */
    held: async () => (await witness.getRunningPipelineRuns(hot)).map(({ run }) => run),
    /** How often the store heard of such a command. */
    times: (kind: string) => heard.filter((one) => one === kind).length,
    /** The store does what the call asks and its answer is lost; then the store is away, until its sequel was asked so often that the next time is some while off. */
    lost: async (call: () => Promise<unknown>, sequel: string) => {
      driver.loseAnswers({ calls: ['transact'], times: 1 })
      isLast = true
      await expect(call()).rejects.toMatchObject({ retryable: true })
      isLast = false
      await expect.poll(() => logger.find('store-error', { command: sequel, attempt: 4 })).toBeDefined()
    },
  }
}

async function granted(manager: Manager, request: Partial<SlotRequest> = {}) {
  const outcome = await manager.acquireSlot({ repository: hot, run: RUN, ...request })
  if (outcome.kind !== 'granted') throw new Error(`It was not granted: ${outcome.kind}.`)
  return outcome.slot
}

/** The two ways to ask for a run again. */
const asking = [
  (manager: Manager) => granted(manager),
  (manager: Manager) => manager.waitForSlot({ repository: hot, run: RUN }),
]

test('12. what a call that failed led to is taken back, not from under whoever asks for its run again', async () => {
  for (const ask of asking) {
    const { driver, manager, held, times, lost } = scene()
    await granted(manager, { run: NEXT }).then((slot) => slot.release())
    await lost(() => manager.acquireSlot({ repository: hot, run: RUN, timeoutMs: 50 }), 'withdraw')
    expect(await held()).toEqual([RUN])
    driver.heal()
    const slot = await ask(manager)
    await expect.poll(() => times('withdraw')).toBeGreaterThan(0)
    expect([slot.isHeld, await held()]).toEqual([true, [RUN]])
  }
})

test('12. a slot that is about to end is not given to whoever asks for its run again', async () => {
  for (const ask of asking) {
    const { driver, logger, manager, held, times, away } = scene({ callTimeoutMs: 1000 })
    let first = 0n
    await manager.withSlot({ repository: hot, run: RUN }, async (slot) => {
      first = slot.fencingToken
      away()
    })
    // What goes on in the background is asked so often that the next time is some while off.
    logger.clear()
    await expect.poll(() => logger.find('store-error', { command: 'release', attempt: 3 })).toBeDefined()
    driver.heal()
    const slot = await ask(manager)
    await expect.poll(() => times('release')).toBeGreaterThan(0)
    expect(slot.fencingToken).toBeGreaterThan(first)
    expect([slot.isHeld, await held()]).toEqual([true, [RUN]])
  }
})

test('12. an adoption that failed leaves the run to whoever adopts it next, and once it is adopted it is held', async () => {
  const { driver, manager, witness, times, lost } = scene()
  const slot = await granted(witness, { durable: true })
  await witness.close()
  await lost(() => manager.adoptSlot(slot, { timeoutMs: 50 }), 'withdraw')
  driver.heal()
  const outcome = await manager.adoptSlot(slot)
  await expect.poll(() => times('withdraw')).toBeGreaterThan(0)
  expect(outcome).toMatchObject({ kind: 'granted', again: false, slot: { isHeld: true } })
})

test('12. a release that fails is heard as soon as the store is back, and the next run gets its place', async () => {
  const { driver, manager, witness, held, away } = scene()
  const slot = await granted(manager)
  const next = witness.waitForSlot({ repository: hot, run: NEXT })
  away()
  await expect(slot.release({ timeoutMs: 50 })).rejects.toMatchObject({ retryable: true })
  await expect(slot.release({ timeoutMs: 50 })).rejects.toMatchObject({ retryable: true })
  expect([slot.isHeld, await held()]).toEqual([false, [RUN]])
  driver.heal()
  await next
  expect(await slot.release()).toEqual({ kind: 'already-released' })
})

test('a durable run that ended stays ended, also when the holder is lost before the store has heard', async () => {
  const { driver, logger, manager, witness, held } = scene({ holderTtlMs: 1000, callTimeoutMs: 100 })
  const slot = await granted(manager, { durable: true })
  driver.fail()
  await expect(slot.release({ state: 'failed' })).rejects.toMatchObject({ retryable: true })
  await expect.poll(() => logger.find('holder-lost')).toBeDefined()
  driver.heal()
  await expect.poll(held).toEqual([])
  expect(await witness.getPipelineRunState(hot, RUN)).toBe('failed')
})

test('a run that is given back waits again, also when the store hears of it late', async () => {
  const { driver, manager, witness, away } = scene()
  const slot = await granted(manager, { durable: true })
  away()
  await expect(slot.requeue({ timeoutMs: 50, delayMs: 60_000 })).rejects.toMatchObject({ retryable: true })
  driver.heal()
  const places = async () =>
    (await witness.getQueuedPipelineRuns(hot)).map(({ run, parkedUntil }) => [run, parkedUntil === undefined])
  await expect.poll(places).toEqual([[RUN, false]])
})

test('a Manager that closes while the store has not heard of a release leaves no slot behind', async () => {
  const { manager, witness, away } = scene({ callTimeoutMs: 100 })
  const slot = await granted(manager)
  away()
  await expect(slot.release()).rejects.toMatchObject({ retryable: true })
  await manager.close()
  expect((await granted(witness, { run: NEXT })).isHeld).toBe(true)
})

test('a slot that is released in a state which is none is held on', async () => {
  const { manager } = scene()
  const slot = await granted(manager)
  const release = slot.release({ state: 'done' as 'completed' })
  await expect(release).rejects.toMatchObject({ code: 'SLOTKEEPER_INVALID_ARGUMENT' })
  await expect(slot.release({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'SLOTKEEPER_INVALID_ARGUMENT' })
  expect(slot.isHeld).toBe(true)
})
