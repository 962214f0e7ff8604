import { styleText } from 'node:util'
import { printable } from '../printable.ts'
import { age, clockTime } from '../times.ts'
import type { QueueReport, RepositoryReport, SlotReport, StatusReport } from './status-report.ts'
import { table } from './table.ts'

type Style = Parameters<typeof styleText>[0]

/** The report for people: a table of repositories, or one repository with its slots and its queue. */
export function statusText(report: StatusReport, hasColours: boolean): string {
  const paint = (style: Style, text: string) =>
    hasColours ? styleText(style, text, { validateStream: false }) : text
  const [only] = report.repositories
  if (only === undefined) return `${report.store} is empty: nothing has asked for a slot yet.\n`
  const overview = repositoriesTable(report.repositories, paint)
  if (only.slots === undefined || only.queue === undefined) return overview
  const at = new Date(report.at)
  const slots = only.slots.length === 0 ? 'No slot is taken.\n' : slotsTable(only.slots, at, paint)
  const queue = only.queue.length === 0 ? 'Nobody waits.\n' : queueTable(only.queue, at, paint)
  return `${overview}\n${slots}\n${queue}${shortened(only)}`
}

type Paint = (style: Style, text: string) => string

function repositoriesTable(repositories: readonly RepositoryReport[], paint: Paint): string {
  return table(
    ['REPOSITORY', 'LIMIT', 'RUNNING', 'RESERVED', 'ORPHANED', 'WAITING', 'STATE'].map((heading) =>
      paint('bold', heading),
    ),
    repositories.map(({ repository, limit, running, reserved, orphaned, waiting, state }) => [
      printable(repository),
      limit === 'unlimited' ? '–' : String(limit),
      String(running),
      String(reserved),
      orphaned === 0 ? '0' : paint('red', String(orphaned)),
      waiting === 0 ? '0' : paint('yellow', String(waiting)),
      state === 'active' ? paint('green', state) : paint('yellow', state),
    ]),
  )
}

function slotsTable(slots: readonly SlotReport[], at: Date, paint: Paint): string {
  return table(
    ['SLOT', 'RUN', 'HOLDER', 'SINCE', 'EXPIRES', 'PHASE'].map((heading) => paint('bold', heading)),
    slots.map(({ slotNumber, run, holder, since, expires, phase }) => [
      slotNumber === null ? '–' : String(slotNumber),
      printable(run),
      printable(holder ?? '–'),
      sinceText(since, at),
      `in ${age(Date.parse(expires) - at.getTime())}`,
      phase === 'orphaned' ? paint('red', phase) : phase,
    ]),
  )
}

function queueTable(queue: readonly QueueReport[], at: Date, paint: Paint): string {
  return table(
    ['PLACE', 'RUN', 'HOLDER', 'SINCE', 'PRIORITY'].map((heading) => paint('bold', heading)),
    queue.map(({ place, run, holder, since, priority, parkedUntil }) => [
      place === null ? '–' : String(place),
      `${printable(run)}${parkedUntil === null ? '' : ` (passed over until ${clockTime(new Date(parkedUntil), at)})`}`,
      printable(holder ?? '–'),
      sinceText(since, at),
      String(priority),
    ]),
  )
}

function sinceText(since: string, at: Date): string {
  return `${clockTime(new Date(since), at)} (${age(at.getTime() - Date.parse(since))})`
}

function shortened({ queue = [], waiting }: RepositoryReport): string {
  return waiting > queue.length ? `… and ${waiting - queue.length} more\n` : ''
}
