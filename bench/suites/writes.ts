// What a Manager writes while nothing happens, for the suites of all stores.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Driver, Manager, type Repository, repository, type Slot } from '@slotkeeper/core'
import type { Context, Figure, Sample } from '../harness/case.ts'
import { valueNamed } from '../harness/case.ts'

/** Shorter than the default, so that some periods pass; a third of it is the time between heartbeats. */
const HOLDER_TTL_MS = 6000
const PERIOD_MS = HOLDER_TTL_MS / 3
const HELD = 10_000
const REPOSITORIES = 100

/** Methods that write; a sweep writes only where it finds something, and then says so. */
const WRITES = ['transact', 'openHolder', 'closeHolder', 'heartbeat'] as const
type Write = (typeof WRITES)[number]

/** The driver itself, with the times at which each of its methods was called. */
function counting(driver: Driver): { readonly driver: Driver; readonly calls: Map<string, number[]> } {
  const calls = new Map<string, number[]>()
  const counted = new Proxy(driver, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name, target)
      if (typeof found !== 'function') return found
      return (...args: unknown[]) => {
        calls.set(String(name), [...(calls.get(String(name)) ?? []), performance.now()])
        return Reflect.apply(found, target, args) as unknown
      }
    },
  })
  return { driver: counted, calls }
}

/**
 * Counts writes for some periods: `heartbeats` a period, and `others`, all together. `commits` may count what really changed the store.
 * @param held how many slots are kept meanwhile; 0: a hundred are taken and given back before
 */
async function writesOf(
  { quick }: Context,
  of: Driver,
  held: number,
  commits: () => number = () => 0,
): Promise<Sample> {
  const periods = quick ? 2 : 5
  const { driver, calls } = counting(of)
  const manager = new Manager({ driver, holderTtlMs: HOLDER_TTL_MS })
  const repositories = Array.from({ length: REPOSITORIES }, (_, at) =>
    repository(`bench/held-${at}`, { concurrencyLimit: HELD / REPOSITORIES }),
  )
  const slots: Slot[] = []
  while (slots.length < Math.max(held, 1)) slots.push(...(await take(manager, repositories, slots.length)))
  if (held === 0) for (const slot of slots.splice(0)) await slot.release()
  // Its last beat may be armed still, and finds that nothing depends on it.
  await sleep(PERIOD_MS)
  calls.clear()
  const before = commits()
  await sleep(periods * PERIOD_MS)
  const count = (name: Write) => calls.get(name)?.length ?? 0
  const sample = {
    heartbeats: eachPeriod(calls.get('heartbeat') ?? []),
    others: WRITES.filter((name) => name !== 'heartbeat').reduce((sum, name) => sum + count(name), 0),
    commits: commits() - before - count('heartbeat'),
  }
  const lost = slots.filter((slot) => !slot.isHeld).length
  await manager.close()
  if (lost > 0) throw new Error(`${lost} slots were lost while writes were counted.`)
  return sample
}

/** How many come in a period, by the time between the first and the last, for a few in a short while cannot be counted finely. */
function eachPeriod(times: readonly number[]): number {
  const first = times[0]
  const last = times.at(-1)
  if (first === undefined || last === undefined || first === last) return times.length
  return ((times.length - 1) * PERIOD_MS) / (last - first)
}

/** The next hundred slots at the most; not all at once, or heartbeats would have to wait for them. */
function take(manager: Manager, repositories: readonly Repository[], from: number): Promise<Slot[]> {
  return Promise.all(
    repositories.map((repository, at) => manager.waitForSlot({ repository, run: `bench/run-${from + at}` })),
  )
}

/** A driver to be counted. */
interface Opened {
  readonly driver: Driver
  readonly commits?: () => number
}

/** The subjects: an open driver of the store, and how to count its commits where something else can tell. */
export function writesSubjects(open: (context: Context) => Opened | Promise<Opened>) {
  const subject = (held: number) => async (context: Context) => {
    const { driver, commits } = await open(context)
    return writesOf(context, driver, held, commits)
  }
  return { held: subject(HELD), idle: subject(0) }
}

/** The figures of these subjects. Heartbeats come up to a tenth early, so that many Managers do not beat together. */
export const writesFigures: readonly Figure[] = [
  {
    name: '10,000 held, heartbeats a period',
    unit: 'writes',
    ours: valueNamed('held', 'heartbeats'),
    goal: { atMost: 1.12 },
  },
  { name: '10,000 held, others', unit: 'writes', ours: valueNamed('held', 'others'), goal: { atMost: 0 } },
  {
    name: 'idle, heartbeats a period',
    unit: 'writes',
    ours: valueNamed('idle', 'heartbeats'),
    goal: { atMost: 0 },
  },
  { name: 'idle, others', unit: 'writes', ours: valueNamed('idle', 'others'), goal: { atMost: 0 } },
]

/** Where commits are counted by somebody else: what changed the store besides heartbeats. */
export const commitFigures: readonly Figure[] = [
  {
    name: '10,000 held, other commits',
    unit: 'commits',
    ours: valueNamed('held', 'commits'),
    goal: { atMost: 0 },
  },
  { name: 'idle, other commits', unit: 'commits', ours: valueNamed('idle', 'commits'), goal: { atMost: 0 } },
]
