import { type Case, type Measure, rateOf, valueNamed } from '../../harness/case.ts'
import { type Contention, contend } from '../contend.ts'
import { figuresOf } from '../turns.ts'
import { newPrefix } from './cluster.ts'

/** Who contends: Managers of this project, or the lock of the client. */
export type Contender = 'ours' | 'lock'

/** Where they contend. */
export interface EtcdContention extends Contention {
  readonly contender: Contender
  readonly prefix: string
}

const LIMIT = 8
const HOLD_MS = 5
const IDEAL = (LIMIT / HOLD_MS) * 1000

function contending(contender: Contender, holdMs: number, shape: Partial<Contention> = {}): Measure {
  return async (context) => {
    const shared = { processes: 2, waiters: 32, limit: LIMIT, holdMs, ...shape }
    const contention = { contender, prefix: newPrefix(), ...shared }
    const turns = await contend(context, new URL('./contender.ts', import.meta.url), contention)
    return { ...figuresOf(turns), ideal: IDEAL }
  }
}

/** Whether slots stay in use, and whether everybody gets a turn. */
export const holding: Case = {
  name: 'hot repository, 64 waiters in 2 processes on limit 8, holding 5 ms',
  subjects: { ours: contending('ours', HOLD_MS) },
  figures: [
    {
      unit: 'pairs/s',
      ours: rateOf('ours'),
      baseline: { name: 'ideal', of: valueNamed('ours', 'ideal') },
      goal: { atLeast: 0.72 },
    },
    { name: 'longest wait ÷ median', unit: '×', ours: valueNamed('ours', 'longest'), goal: { atMost: 2 } },
    { name: 'hand-off p50', unit: 'ms', ours: valueNamed('ours', 'p50') },
    { name: 'really held, median', unit: 'ms', ours: valueNamed('ours', 'held') },
  ],
}

/** One slot for which eight wait in each of two processes. */
export const contended: Case = {
  name: 'contended, limit 1',
  subjects: {
    ours: contending('ours', 0, { waiters: 8, limit: 1 }),
    lock: contending('lock', 0, { waiters: 8, limit: 1 }),
  },
  figures: [
    {
      unit: 'pairs/s',
      ours: rateOf('ours'),
      baseline: { name: 'lock() of etcd3', of: rateOf('lock') },
      goal: { atLeast: 8 },
    },
    {
      name: 'hand-off p99',
      unit: 'ms',
      ours: valueNamed('ours', 'p99'),
      baseline: { name: 'lock() of etcd3', of: valueNamed('lock', 'p99') },
      goal: { atMost: 0.15 },
    },
  ],
}
