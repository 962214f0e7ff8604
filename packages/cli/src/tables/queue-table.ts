import { printable } from '../printable.ts'
import type { QueueReport } from '../reports/queue-report.ts'
import { clockTime } from '../times.ts'
import type { Paint } from './paint.ts'
import { sinceText } from './since-text.ts'
import { table } from './table.ts'

/** Waiting runs, one a line, as they were at a moment; `more`: how many wait behind them. */
export function queueTable(queue: readonly QueueReport[], more: number, at: Date, paint: Paint): string {
  const rows = table(
    ['PLACE', 'RUN', 'HOLDER', 'SINCE', 'PRIORITY'],
    queue.map(({ place, run, holder, since, priority, parkedUntil }) => [
      place === null ? '–' : String(place),
      `${printable(run)}${parkedUntil === null ? '' : ` (passed over until ${clockTime(new Date(parkedUntil), at)})`}`,
      printable(holder ?? '–'),
      sinceText(since, at),
      String(priority),
    ]),
    paint,
  )
  return `${rows}${moreLine(more)}`
}

/** Says how many are not shown. */
export function moreLine(more: number): string {
  return more > 0 ? `… and ${more} more\n` : ''
}
