import { type Case, type Context, type Sample, valueNamed } from '../../harness/case.ts'
import { median, quantile } from '../../harness/statistics.ts'
import { contend, HOLD_MS, LIMIT, type Synchronous, type Turn } from './contend.ts'

const IDEAL = (LIMIT / HOLD_MS) * 1000

interface HandOff {
  readonly ms: number
  readonly across: boolean
}

/**
 * From the call of `release` to the moment at which the next one with the same slot number goes on, the release's own commit included;
 * from its call of `waitForSlot` where it came later. Grants follow each other as their fencing tokens do.
 */
function handOffs(records: readonly Turn[]): HandOff[] {
  const last = new Map<number, Turn>()
  const found: HandOff[] = []
  for (const record of [...records].sort((a, b) => a.token - b.token)) {
    const before = last.get(record.number)
    if (before !== undefined)
      found.push({
        ms: record.granted - Math.max(before.releasing, record.asked),
        across: before.process !== record.process,
      })
    last.set(record.number, record)
  }
  return found
}

async function measure(context: Context, synchronous: Synchronous): Promise<Sample> {
  const { records, from, until } = await contend(context, synchronous)
  const within = records.filter(({ granted }) => granted >= from && granted < until)
  const waits = within.map(({ asked, granted }) => granted - asked)
  const all = handOffs(within)
  const across = all.filter((handOff) => handOff.across).map(({ ms }) => ms)
  const shares = [0, 1].map((process) => within.filter((record) => record.process === process).length)
  return {
    rate: (within.length / (until - from)) * 1000,
    ideal: IDEAL,
    held: median(within.map(({ granted, releasing }) => releasing - granted)),
    longest: Math.max(...waits) / median(waits),
    wait: median(waits),
    p50: median(all.map(({ ms }) => ms)),
    p99: quantile(
      all.map(({ ms }) => ms),
      0.99,
    ),
    acrossP50: median(across),
    acrossP99: quantile(across, 0.99),
    acrossShare: across.length / all.length,
    split: Math.min(...shares) / Math.max(...shares),
  }
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
