import { join } from 'node:path'
import { type Case, type Context, type Sample, valueNamed } from '../../harness/case.ts'
import { type Contention, contend } from '../contend.ts'
import { figuresOf } from '../turns.ts'

const LIMIT = 8
const HOLD_MS = 5
const IDEAL = (LIMIT / HOLD_MS) * 1000

/** The driver's option of this name. */
type Synchronous = 'full' | 'normal'

/** Where the file is, and how it is opened. */
export interface SqliteContention extends Contention {
  readonly path: string
  readonly synchronous: Synchronous
}

async function measure(context: Context, synchronous: Synchronous): Promise<Sample> {
  const path = join(context.directory, `shared-${process.pid}.db`)
  const contention: SqliteContention = {
    ...{ path, synchronous, processes: 2, waiters: 32, limit: LIMIT, holdMs: HOLD_MS },
  }
  const turns = await contend(context, new URL('./contender.ts', import.meta.url), contention)
  return { ...figuresOf(turns), ideal: IDEAL }
}

function contended(name: string, synchronous: Synchronous): Case {
  return {
    name,
    subjects: { two: (context) => measure(context, synchronous) },
    figures: [
      {
        unit: 'pairs/s',
        ours: valueNamed('two', 'rate'),
        baseline: { name: 'ideal', of: valueNamed('two', 'ideal') },
        goal: { atLeast: 0.8 },
      },
      { name: 'longest wait ÷ median', unit: '×', ours: valueNamed('two', 'longest'), goal: { atMost: 2 } },
      { name: 'hand-off p50', unit: 'ms', ours: valueNamed('two', 'p50'), goal: { atMost: 3 } },
      { name: 'hand-off p99', unit: 'ms', ours: valueNamed('two', 'p99'), goal: { atMost: 20 } },
      {
        name: 'hand-off across processes p50',
        unit: 'ms',
        ours: valueNamed('two', 'acrossP50'),
        goal: { atMost: 3 },
      },
      {
        name: 'hand-off across processes p99',
        unit: 'ms',
        ours: valueNamed('two', 'acrossP99'),
        goal: { atMost: 20 },
      },
      { name: 'share of hand-offs across processes', unit: '×', ours: valueNamed('two', 'acrossShare') },
      { name: 'grants of one process ÷ the other', unit: '×', ours: valueNamed('two', 'split') },
      { name: 'median wait', unit: 'ms', ours: valueNamed('two', 'wait') },
      { name: 'really held, median', unit: 'ms', ours: valueNamed('two', 'held') },
    ],
  }
}

const NAME = '64 waiters in 2 processes on limit 8'

/** Two processes share one hot repository, with default options: whether slots stay in use, and whether everybody gets a turn. */
export const shared: Case = contended(NAME, 'full')

/** The same without waiting for the disk. */
export const sharedNormal: Case = contended(`${NAME}, WAL NORMAL`, 'normal')
