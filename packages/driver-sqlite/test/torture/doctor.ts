import type { FenceWrite, TortureLine, TortureReport } from '@slotkeeper/testing/torture'

type Line<E extends TortureLine['event']> = TortureLine & { readonly event: E }
/** What says that a durable entry is there. */
const KEPT: ReadonlySet<string> = new Set(['asked', 'enqueued'])

type Doctored = Pick<TortureReport, 'lines' | 'writes'>

/** Ways to make an honest log tell of a broken rule, by the number of the rule that must be named. */
export const DOCTORS: Readonly<
  Record<string, readonly [rule: number, doctor: (report: Doctored) => Doctored]>
> = {
  'every limit was one less': [
    1,
    (report) =>
      withLines(report, (line) =>
        line.event === 'limit-asked' || line.event === 'limit-answered'
          ? { ...line, limit: Math.max(1, line.limit - 1) }
          : line,
      ),
  ],
  'every body began when it was asked for': [
    1,
    (report) => {
      const asked = new Map(all(report, 'asked').map((line) => [line.call, line.at]))
      return withLines(report, (line) =>
        line.event === 'granted' ? { ...line, at: (asked.get(line.call) as number) + 0.001 } : line,
      )
    },
  ],
  'a token came twice': [2, (report) => withLater(report, ({ token }) => ({ token }))],
  'a later grant had a lower token': [2, (report) => withLater(report, () => ({ token: '1' }))],
  'two had the same lease': [4, (report) => withLater(report, ({ lease }) => ({ lease }))],
  'the queue went by tokens the other way round': [
    3,
    (report) =>
      withLines(report, (line) =>
        line.event === 'granted' ? { ...line, token: String(10n ** 16n - BigInt(line.token)) } : line,
      ),
  ],
  'a durable entry came to nothing': [
    5,
    (report) => {
      const durable = all(report, 'enqueued')[0] as Line<'enqueued'>
      const lines = report.lines
        .filter((line) => !('call' in line && !KEPT.has(line.event) && line.call === durable.call))
        .map((line) =>
          line.event === 'found' && line.run === durable.run ? { ...line, as: 'absent' as const } : line,
        )
      return { ...report, lines }
    },
  ],
  'a holder was called dead at its grant': [
    8,
    (report) => {
      const held = last(
        ofWorkers(report, 'granted').filter((line) => line.held && line.until > line.at + 200),
      )
      const { at, by, repository, run, call, lease } = held
      const lost = {
        at: at + 1,
        by,
        event: 'lost',
        repository,
        run,
        call,
        lease,
        reason: 'holder-lost',
      } as const
      return { ...report, lines: [...report.lines, lost] }
    },
  ],
  'a write was refused of one who held his slot': [
    9,
    (report) => {
      const sure = new Set(ofWorkers(report, 'over').flatMap((line) => line.sure))
      const late = report.writes.findLast((write) => sure.has(write.write)) as FenceWrite
      const newer = { ...late, token: String(BigInt(late.token) + 1n), write: 0 }
      const writes = report.writes.flatMap((write) => (write === late ? [newer, write] : [write]))
      return { ...report, writes }
    },
  ],
}

function withLines(report: Doctored, change: (line: TortureLine) => TortureLine): Doctored {
  return { ...report, lines: report.lines.map(change) }
}

/** Changes the last grant of a repository by what the first one had. */
function withLater(report: Doctored, change: (first: Line<'granted'>) => Partial<Line<'granted'>>): Doctored {
  const granted = all(report, 'granted').filter((line) => !line.again && !line.adopted)
  const first = granted[0] as Line<'granted'>
  const later = last(granted.filter((line) => line.repository === first.repository))
  return withLines(report, (line) => (line === later ? { ...later, ...change(first) } : line))
}

function all<E extends TortureLine['event']>({ lines }: Doctored, event: E): Line<E>[] {
  return lines.filter((line): line is Line<E> => line.event === event)
}

/** Lines about runs that nobody can end by their names. */
function ofWorkers<E extends 'granted' | 'over'>(report: Doctored, event: E): Line<E>[] {
  const waits = new Set(all(report, 'asked').flatMap((line) => (line.mode === 'wait' ? [line.call] : [])))
  return all(report, event).filter((line) => waits.has(line.call))
}

function last<T>(items: readonly T[]): T {
  return items.at(-1) as T
}
