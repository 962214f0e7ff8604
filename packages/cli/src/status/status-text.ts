import { painter } from '../tables/paint.ts'
import { queueTable } from '../tables/queue-table.ts'
import { repositoriesTable } from '../tables/repositories-table.ts'
import { slotsTable } from '../tables/slots-table.ts'
import type { StatusReport } from './status-report.ts'

/** The report for people: a table of repositories, or one repository with its slots and its queue. */
export function statusText(report: StatusReport, hasColours: boolean): string {
  const paint = painter(hasColours)
  const [only] = report.repositories
  if (only === undefined) return `${report.store} is empty: nothing has asked for a slot yet.\n`
  const overview = repositoriesTable(report.repositories, paint)
  if (only.slots === undefined || only.queue === undefined) return overview
  const at = new Date(report.at)
  const more = Math.max(0, only.waiting - only.queue.length)
  const slots = only.slots.length === 0 ? 'No slot is taken.\n' : slotsTable(only.slots, at, paint)
  const queue = only.queue.length === 0 ? 'Nobody waits.\n' : queueTable(only.queue, more, at, paint)
  return `${overview}\n${slots}\n${queue}`
}
