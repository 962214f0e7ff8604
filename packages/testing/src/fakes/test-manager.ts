import { Manager, type ManagerOptions } from '@slotkeeper/core'
import { type MemoryStore, memoryDriver, memoryStore } from '@slotkeeper/driver-memory'
import { type FakeClock, fakeClock } from '../fake-clock.ts'
import { type FaultyDriver, faultyDriver } from '../faults/faulty-driver.ts'

/** What a test may choose about its Managers: everything but the store and the clock, which are fakes. */
export type TestManagerOptions = Omit<ManagerOptions, 'driver' | 'clock'>

/** A Manager that a test can cut off from its store. */
export interface TestProcess {
  readonly manager: Manager
  /** Nothing reaches the store, and nothing comes back: calls fail, heartbeats too, so that slots are lost at the local deadline. */
  partition(): void
  /** The store can be reached again. A holder whose deadline passed meanwhile stays lost. */
  heal(): void
  /**
   * The process dies as far as the store and the other Managers can see: nothing of it reaches the store any more, for ever. Its code
   * runs on in the test, as it cannot be stopped from outside; slots that it held are lost to it at its local deadline.
   */
  crash(): void
}

/** A Manager on a store in memory and in time that stands still, for unit tests of code that uses slots. */
export interface TestManager extends TestProcess, AsyncDisposable {
  /** The time of all its Managers, and of the store. */
  readonly clock: FakeClock
  /** Another process on the same store. Its options are those of the first, unless it is given others. */
  another(options?: TestManagerOptions): TestProcess
}

/** How far time moves on at a time while the Managers are closed. */
const STEP_MS = 1000

/**
 * Makes a Manager for a unit test: the real one, on a store in memory, with a clock that the test moves. Ids and jitter repeat from
 * test to test. Dispose of it and all its Managers are closed.
 * @example
 * await using t = testManager()
 * const result = deploy(t.manager)
 * t.partition()
 * await t.clock.advance(31_000)
 * assert.equal((await result).aborted, true)
 */
export function testManager(options: TestManagerOptions = {}): TestManager {
  const clock = fakeClock()
  const store = memoryStore()
  const processes: Process[] = []
  const start = (chosen: TestManagerOptions): Process => {
    const random = repeatable(processes.length + 1)
    const one = new Process(store, clock, { label: 'test', random, ...chosen })
    processes.push(one)
    return one
  }
  const first = start(options)
  return {
    clock,
    manager: first.manager,
    partition: () => first.partition(),
    heal: () => first.heal(),
    crash: () => first.crash(),
    another: (chosen) => start({ ...options, ...chosen }),
    async [Symbol.asyncDispose]() {
      let open = true
      const closed = Promise.allSettled(processes.map((one) => one.close())).then(() => {
        open = false
      })
      // What goes on in the background may wait for the clock.
      while (open) await clock.advance(STEP_MS)
      await closed
    },
  }
}

class Process implements TestProcess {
  readonly manager: Manager
  readonly #driver: FaultyDriver

  constructor(store: MemoryStore, clock: FakeClock, options: TestManagerOptions) {
    this.#driver = faultyDriver(memoryDriver({ store, clock }))
    this.manager = new Manager({ ...options, driver: this.#driver, clock })
  }

  partition(): void {
    this.#driver.fail()
    this.#driver.muteWatches()
  }

  heal(): void {
    this.#driver.heal()
    // What happened meanwhile was not told.
    this.#driver.breakWatches()
  }

  crash(): void {
    this.#driver.crash()
  }

  close(): Promise<void> {
    this.heal()
    return this.manager.close()
  }
}

/** Numbers that are the same in every test. */
function repeatable(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1)
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return (state >>> 0) / 2 ** 32
  }
}
