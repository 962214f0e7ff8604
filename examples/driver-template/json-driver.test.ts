import { isSlotkeeperError } from '@slotkeeper/core'
import { conformance } from '@slotkeeper/testing/conformance'
import { expect, test } from 'vitest'
import { jsonDriver } from './json-driver.ts'
import { JsonStore } from './json-store.ts'

// The whole test of a driver that is done:
//
//   conformance({ test, open: (store) => jsonDriver({ store: named(store) }) })
//
// This one is not. Its test collects what the suite defines, runs it, and expects exactly the convictions that the places marked
// `yours:` bring about. Fill one in, and its lines go.
const EXPECTED = [
  // json-store.ts: the floor is not raised.
  '2. a removal raises the floor of the whole store to the last token of what was removed, in the same commit',
  '2. tokens of a repository that was removed and made again go on where they were',
  // json-driver.ts and json-store.ts: a watch yields only its first resync.
  '10. a watch that breaks begins again by itself',
  '7. a holder hears of what others do to its rows although nobody watches the repository',
  '7. a reader that falls behind misses nothing without a resync',
  '7. a release in another process wakes who waits, by the notification alone',
  '7. a watch begins with a resync; then every change is hinted at, or a resync says that some may be missed',
  '7. a watch begins once the store has heard of it: from its first resync on nothing is missed',
  '7. setupWatcher and watchSlotAvailability tell everything that happens in a repository, wherever it is done',
  'reads: as of the hints a run is shown as the last hint of it told or later, and with every commit of the reader',
  // json-driver.ts: a sweep finds nothing and forgets nothing.
  '6. a record is kept for its time, and then forgotten',
  '8. a domain that a sweep named shows what is overdue',
  '8. an overdue holder is noticed in every domain where it has rows, and its slots are found by a sweep',
  '8. clients with wrong wall clocks neither kill a live holder nor keep a dead one',
  '8. sweeps claim what they find, so that not everybody does the same work, and never beyond their budget',
  '8. what a sweeper claimed and then died over is found again',
  'batches: what does not fit one commit goes on in the next ones, by anybody, and no commit exceeds the budget',
  // Both places: the shortest sequence of commands that shows it.
  'model: the same while repositories are removed and made again',
  'model: the same while sweeps find what is due, and forget what is over',
]

/** Without a sweep these depend on who happens to ask while somebody is dead: convicted at times. */
const AT_TIMES = [
  '1 to 5 and 8. the same while processes die',
  "8. a crashed process's worker slots come back, and its entries are gone; nobody has to ask for it",
]

const stores = new Map<string, JsonStore>()

/** The same name is the same store. */
function named(name: string): JsonStore {
  const store = stores.get(name) ?? new JsonStore()
  stores.set(name, store)
  return store
}

interface Collected {
  readonly name: string
  readonly body: () => Promise<void>
}

test('the template is convicted of what it leaves out, and of nothing else', async () => {
  const rules: Collected[] = []
  conformance({
    test: (name, body) => rules.push({ name, body }),
    open: (store) => jsonDriver({ store: named(store) }),
    cleanup: (store) => void stores.delete(store),
  })
  const convicted = new Map<string, unknown>()
  const work = async (queue: Collected[]) => {
    for (let rule = queue.shift(); rule !== undefined; rule = queue.shift()) {
      const { name, body } = rule
      convicted.delete(name)
      await body().catch((error: unknown) => convicted.set(name, error))
    }
  }
  const isKnown = ({ name }: Collected) => EXPECTED.includes(name) || AT_TIMES.includes(name)
  const alone = rules.filter(({ name }) => NEEDS_THE_PROCESS.test(name))
  const beside = rules.filter((rule) => !alone.includes(rule))
  const listen = ignoreWhatIsLeftBehind()
  await Promise.all(Array.from({ length: AT_ONCE }, () => work(beside)))
  await work(alone)
  // So many at once may be too much for a busy machine: what nobody expects is heard again, with nobody beside it.
  await work(rules.filter((rule) => convicted.has(rule.name) && !isKnown(rule)))
  // And the model draws fewer sequences then: what it did not convict of what is expected is heard again as well.
  await work(rules.filter(({ name }) => EXPECTED.includes(name) && !convicted.has(name)))
  listen()
  if (process.env.SHOW_CONVICTIONS !== undefined)
    for (const [name, error] of convicted) console.log(name, error)
  const found = [...convicted.keys()].filter((name) => !AT_TIMES.includes(name))
  expect(found.sort()).toEqual([...EXPECTED].sort())
}, 300_000)

/** Most rules only wait, and none shares a store with another: many at once take as long as one. */
const AT_ONCE = 32

/** These change or watch what the whole process has: its clock, its timers, its event loop. */
const NEEDS_THE_PROCESS = /wall clock|every language|leave no timers|blocked event loop/

/** A race that fails half-way leaves calls that nobody awaits any more; they are rejected when its drivers are closed. */
function ignoreWhatIsLeftBehind(): () => void {
  const listeners = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', (reason, promise) => {
    if (!isSlotkeeperError(reason, 'SLOTKEEPER_MANAGER_CLOSED'))
      for (const listener of listeners) listener(reason, promise)
  })
  return () => {
    process.removeAllListeners('unhandledRejection')
    for (const listener of listeners) process.on('unhandledRejection', listener)
  }
}
