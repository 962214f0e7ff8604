import { type Case, type Context, type Measure, rateOf, valueNamed } from '../../harness/case.ts'
import { median } from '../../harness/statistics.ts'
import { type Contention, contend } from '../contend.ts'
import { figuresOf } from '../turns.ts'
import { connected, newDatabase } from './database.ts'

/** Who contends: Managers of this project, or what people use instead. */
export type Contender = 'ours' | 'apart' | 'advisory' | 'redis'

/** Where they contend. */
export interface PostgresContention extends Contention {
  readonly contender: Contender
  readonly url: string
}

const LIMIT = 8
const HOLD_MS = 5
const IDEAL = (LIMIT / HOLD_MS) * 1000

function contending(contender: Contender, holdMs: number, shape: Partial<Contention> = {}): Measure {
  return async (context) => {
    const url = await newDatabase()
    const contention = { contender, url, processes: 2, waiters: 32, limit: LIMIT, holdMs, ...shape }
    const turns = await contend(context, new URL('./contender.ts', import.meta.url), contention)
    return { ...figuresOf(turns), ideal: IDEAL }
  }
}

/** From the moment at which a connection sends a NOTIFY until another one has it, in ms. */
async function notifyLatency({ quick }: Context) {
  const url = await newDatabase()
  const [listening, telling] = [await connected(url), await connected(url)]
  await listening.query('LISTEN bench')
  const times: number[] = []
  for (let at = 0; at < (quick ? 50 : 500); at++) {
    const heard = new Promise((resolve) => listening.once('notification', resolve))
    const start = performance.now()
    await Promise.all([telling.query('NOTIFY bench'), heard])
    times.push(performance.now() - start)
  }
  await Promise.all([listening.end(), telling.end()])
  return { p50: median(times) }
}

/** Slots that are given back at once: what one repository can do at most. */
export const hot: Case = {
  name: 'hot repository, 64 waiters in 2 processes on limit 8, no hold',
  subjects: {
    ours: contending('ours', 0),
    apart: contending('apart', 0),
    advisory: contending('advisory', 0),
    redis: contending('redis', 0),
  },
  figures: (
    [
      ['apart', 'a Manager for each waiter', 5],
      ['advisory', 'polling for an advisory lock', 1],
      ['redis', 'redis-semaphore, appendfsync always', 0.6],
    ] as const
  ).map(([subject, name, atLeast]) => ({
    name: `against ${name}`,
    unit: 'pairs/s',
    ours: rateOf('ours'),
    baseline: { name, of: rateOf(subject) },
    goal: { atLeast },
  })),
}

/** Whether slots stay in use, and whether everybody gets a turn. */
export const holding: Case = {
  name: 'hot repository, holding 5 ms',
  subjects: {
    ours: contending('ours', HOLD_MS),
    notify: notifyLatency,
    advisory: contending('advisory', HOLD_MS),
  },
  figures: [
    {
      unit: 'pairs/s',
      ours: rateOf('ours'),
      baseline: { name: 'ideal', of: valueNamed('ours', 'ideal') },
      goal: { atLeast: 0.8 },
    },
    {
      name: 'hand-off p50',
      unit: 'ms',
      ours: valueNamed('ours', 'p50'),
      baseline: { name: 'NOTIFY', of: valueNamed('notify', 'p50') },
      goal: { atMost: 5.5 },
    },
    { name: 'longest wait ÷ median', unit: '×', ours: valueNamed('ours', 'longest'), goal: { atMost: 1.5 } },
    { name: 'longest wait ÷ median, polling', unit: '×', ours: valueNamed('advisory', 'longest') },
    { name: 'median wait', unit: 'ms', ours: valueNamed('ours', 'wait') },
    { name: 'really held, median', unit: 'ms', ours: valueNamed('ours', 'held') },
    { name: 'share of hand-offs across processes', unit: '×', ours: valueNamed('ours', 'acrossShare') },
  ],
}

/** One waiter in each of two processes, one slot: neither may be left behind. */
export const split: Case = {
  name: 'one contender a process, limit 1',
  subjects: { two: contending('ours', 0, { waiters: 1, limit: 1 }) },
  figures: [
    {
      name: 'share of the smaller',
      unit: '×',
      ours: valueNamed('two', 'smallerShare'),
      goal: { atLeast: 0.45 },
    },
    { name: 'pairs', unit: 'pairs/s', ours: rateOf('two') },
  ],
}
