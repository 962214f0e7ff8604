import { setTimeout as sleep } from 'node:timers/promises'
import type { Driver } from '@slotkeeper/core/driver'
import { conformance } from '../../src/conformance.ts'
import { closeStore } from './breaking.ts'

/** One test of the suite that a driver did not pass. */
export interface Failure {
  readonly test: string
  readonly message: string
}

interface Collected {
  readonly name: string
  readonly body: () => Promise<void>
}

/** The tests of the suite for a driver, not run. */
export function testsOf(open: (store: string) => Driver): Collected[] {
  const tests: Collected[] = []
  conformance({ test: (name, body) => tests.push({ name, body }), open, cleanup: closeStore })
  return tests
}

/** What a test is named after: `1 to 5 and 12. …` after 1, 2, 3, 4, 5 and 12; `reads: …` after `reads`. */
export function rulesOf(name: string): string[] {
  const [, numbers, word] = /^(?:([\d, and to]+)\.|([a-z ]+):)/.exec(name) ?? []
  if (word !== undefined) return [word]
  return (numbers ?? '').split(/, | and /).flatMap((part) => {
    const [first, last] = part.split(' to ').map(Number)
    if (first === undefined) return []
    return Array.from({ length: (last ?? first) - first + 1 }, (_, n) => String(first + n))
  })
}

/** Tests that change what all of this process share (its wall clock), look at all that it has open, or block its event loop. */
const ALONE = /wall clock|every language|leave no timers|blocked event loop/

/** Most tests only wait; this many at once keep two cores busy and none of them waiting for long. */
const AT_ONCE = 64

/** A test gives up waiting after 20 s. */
const TIME_LIMIT_MS = 25_000

let running = 0
let exclusive = false
const queue: { readonly alone: boolean; readonly begin: () => void }[] = []

/** Runs a test when it may: many side by side, and those that need it alone. */
export async function run({ name, body }: Collected): Promise<Failure | undefined> {
  const alone = ALONE.test(name)
  await new Promise<void>((begin) => {
    queue.push({ alone, begin })
    admit()
  })
  const late = new AbortController()
  try {
    await Promise.race([body(), limit(late.signal)])
    return undefined
  } catch (error) {
    return { test: name, message: String((error as Error).message ?? error) }
  } finally {
    late.abort()
    running--
    if (alone) exclusive = false
    admit()
  }
}

/** The time limit of a runner, for drivers that bring a test neither to an end nor to a failure of its own. */
async function limit(signal: AbortSignal): Promise<never> {
  await sleep(TIME_LIMIT_MS, undefined, { signal })
  throw new Error(`The test did not end within ${TIME_LIMIT_MS} ms.`)
}

function admit(): void {
  while (!exclusive && running < AT_ONCE) {
    // Those that must be alone come last: until then others would have to wait for each of them.
    const at = queue.findIndex((one) => !one.alone)
    const next = at >= 0 ? queue.splice(at, 1)[0] : running === 0 ? queue.shift() : undefined
    if (next === undefined) return
    running++
    exclusive = next.alone
    next.begin()
  }
}
