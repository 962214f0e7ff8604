import type { Driver } from '@slotkeeper/core/driver'
import { modelTest } from '../model/model-test.ts'
import { Lab } from './lab.ts'
import { allRules } from './rules.ts'

/** What runs a test: `test` of vitest, of node:test or of jest. The third argument is a time limit in ms, where the runner knows one. */
export type TestFunction = (name: string, body: () => Promise<void>, timeoutMs?: number) => unknown

/** What the suite needs from whoever calls it. */
export interface ConformanceOptions {
  readonly test: TestFunction
  /**
   * Makes a new driver, not opened, on the store of that name: a new and empty one at the first call with a name, the same store at
   * every later one. Names are unique to a test, 40 characters at most of `a-z`, `0-9` and `-`.
   */
  readonly open: (store: string) => Driver | Promise<Driver>
  /** Deletes a store when its test is over and all its drivers are closed. */
  readonly cleanup?: (store: string) => void | Promise<void>
  /**
   * Lets the clock of a store go on by so many ms, for stores that take their time from the test. Only the model test asks for it.
   * Default: real time passes.
   */
  readonly advance?: (store: string, ms: number) => void | Promise<void>
  /** Stands before the name of every test. */
  readonly label?: string
}

/** Every wait in a test gives up after 20 s, so that the message says what was waited for; this is for what hangs without one. */
const TEST_TIMEOUT_MS = 90_000

let stores = 0

/**
 * Defines the tests that every driver must pass: each of the rules that Slotkeeper promises, through the public Manager and through the
 * driver contract itself, with faults and with races, and any sequence of commands beside the policy alone (`modelTest`). Nothing can be left out; what does not apply to a store follows from the facts
 * of its manifest. Tests may run in any order, and none shares a store with another.
 * @example
 * conformance({ test, open: store => redisDriver({ prefix: store }) })
 */
export function conformance(options: ConformanceOptions): void {
  const { test, open, cleanup, label } = options
  for (const { name, body } of allRules()) {
    const run = async () => {
      const random = Math.floor(Math.random() * 36 ** 8).toString(36)
      const store = `conformance-${process.pid}-${++stores}-${random}`
      await Lab.use({ store, open, cleanup }, body)
    }
    test(label === undefined ? name : `${label}: ${name}`, run, TEST_TIMEOUT_MS)
  }
  modelTest(options)
}
