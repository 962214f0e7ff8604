import { printable } from '../printable.ts'
import { painter } from '../tables/paint.ts'
import { moreLine, queueTable } from '../tables/queue-table.ts'
import { sinceText } from '../tables/since-text.ts'
import { slotsTable } from '../tables/slots-table.ts'
import type { ExplainReport } from './explain-report.ts'

/** A page has to stay a page. */
const SHOWN = 20

/** The report for people: one sentence, since when, and for a run that waits who holds the slots and who goes before it. */
export function explainText(report: ExplainReport, hasColours: boolean): string {
  const { kind, since, summary, holders, ahead, live, place, placeIsAtLeast } = report
  const paint = painter(hasColours)
  const at = new Date(report.at)
  const first = since === null ? [] : [`Since ${sinceText(since, at)}${details(report)}.`]
  const head = [paint('bold', printable(summary)), ...first].join('\n')
  if (kind !== 'waiting' && kind !== 'parked') return `${head}\n`
  const shown = holders.slice(0, SHOWN)
  const slots =
    shown.length === 0
      ? 'No slot is taken.\n'
      : `${slotsTable(shown, at, paint)}${moreLine(live - shown.length)}`
  if (kind === 'parked') return `${head}\n\n${slots}`
  const before = ahead.slice(0, SHOWN)
  const more = (place ?? 1) - 1 - before.length
  const queue =
    before.length === 0
      ? 'Nobody goes before it.\n'
      : `Before it go:\n${queueTable(before, 0, at, paint)}${placeIsAtLeast ? `… and at least ${more} more\n` : moreLine(more)}`
  return `${head}\n\n${slots}\n${queue}`
}

function details({ priority, slot, successor }: ExplainReport): string {
  if (priority !== null) return `, priority ${priority}`
  if (slot !== null)
    return `${slot.slotNumber === null ? '' : `, slot ${slot.slotNumber}`}, lease ${slot.leaseId}`
  return successor === null ? '' : `; ${printable(successor)} got its place`
}
