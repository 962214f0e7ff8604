import { printable } from '../printable.ts'
import type { SlotReport } from '../reports/slot-report.ts'
import { age } from '../times.ts'
import type { Paint } from './paint.ts'
import { sinceText } from './since-text.ts'
import { table } from './table.ts'

/** Slots, one a line, as they were at a moment. */
export function slotsTable(slots: readonly SlotReport[], at: Date, paint: Paint): string {
  return table(
    ['SLOT', 'RUN', 'HOLDER', 'SINCE', 'EXPIRES', 'PHASE'],
    slots.map(({ slotNumber, run, holder, since, expires, phase }) => [
      slotNumber === null ? '–' : String(slotNumber),
      printable(run),
      printable(holder ?? '–'),
      sinceText(since, at),
      `in ${age(Date.parse(expires) - at.getTime())}`,
      phase === 'orphaned' ? paint('red', phase) : phase,
    ]),
    paint,
  )
}
