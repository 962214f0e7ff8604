import type { Changes, HolderId, RepositoryRow, StoreEvent } from '@slotkeeper/core/driver'
import type { Step } from './flight.ts'
import { repositoryJson, runJson } from './rows.ts'
import type { Statement, Statements } from './statements.ts'

/** What one domain's decision recorded. */
export interface Recorded {
  readonly domain: string
  /** Store time of the decision. */
  readonly now: number
  /** The repositories of the domain as they are now. */
  readonly repositories: readonly RepositoryRow[]
  /** Nobody watches the domain, and nothing is left over. */
  readonly isQuiet: boolean
  readonly changes: Changes
}

/** The steps that write what several domains recorded, in the order of locks that `statements.ts` gives. Empty where nothing changed. */
export function applying(sql: Statements, recorded: readonly Recorded[], history: boolean): Step[] {
  const written = recorded.filter(({ changes }) => !changes.empty)
  if (written.length === 0) return []
  const steps: Step[] = []
  const add = (statement: Statement, rows: readonly unknown[]) => {
    if (rows.length > 0) steps.push({ statement, values: [JSON.stringify(rows)] })
  }
  const ofAll = <T>(pick: (changes: Changes) => readonly T[]) =>
    written.flatMap(({ changes }) => pick(changes))
  const dropped = ofAll(({ droppedRuns }) => droppedRuns)
  const changed = ofAll(({ runs }) => runs)

  add(
    sql.mustNotBePinned,
    [...changed, ...dropped]
      .filter(({ before }) => before?.phase === 'running')
      .map(({ row: { repository, run } }) => ({ repository, run })),
  )
  steps.push(...holdHolders(sql, written))
  add(
    sql.dropRuns,
    dropped.map(({ row: { repository, run } }) => ({ repository, run })),
  )
  add(
    sql.saveRuns,
    changed.map(({ row }) => runJson(row)),
  )
  const gone = new Set(ofAll(({ droppedRepositories }) => droppedRepositories))
  add(sql.dropRepositories, [...gone])
  add(sql.dropDomains, [...gone])
  // Every commit notes its time on its repository, so that no later one of the domain has an earlier time.
  add(
    sql.saveRepositories,
    written.flatMap(({ repositories, now, isQuiet }) =>
      repositories.map((row) => repositoryJson(row, now, isQuiet)),
    ),
  )
  add(
    sql.saveGuards,
    written.flatMap(({ domain, changes: { guard } }) =>
      guard === undefined ? [] : [{ domain, watched_until: guard.watchedUntil, backlog: guard.backlog }],
    ),
  )
  const floor = Math.max(...written.map(({ changes }) => changes.tokenFloor))
  if (floor > 0) steps.push({ statement: sql.raiseFloor, values: [String(floor)] })
  if (history) add(sql.appendEvents, ofAll(({ events }) => events).map(eventJson))
  return steps
}

function holdHolders(sql: Statements, written: readonly Recorded[]): Step[] {
  const gain = new Set<HolderId>()
  const bumped: HolderId[] = []
  const buried = new Set<HolderId>()
  let now = 0
  for (const one of written) {
    for (const holder of one.changes.alive) gain.add(holder)
    bumped.push(...one.changes.bumped)
    for (const holder of one.changes.buried) buried.add(holder)
    if (one.changes.buried.length > 0) now = Math.max(now, one.now)
  }
  if (bumped.length === 0 && buried.size === 0)
    return gain.size === 0
      ? []
      : [{ statement: sql.holdersGain, values: [JSON.stringify([...gain]), String(gain.size)] }]
  const concerned = new Set([...gain, ...bumped, ...buried])
  const steps: Step[] = [
    {
      statement: sql.holdersLose,
      values: [
        JSON.stringify([...concerned]),
        JSON.stringify([...gain]),
        String(gain.size),
        JSON.stringify([...buried]),
        String(buried.size),
        String(now),
      ],
    },
  ]
  if (buried.size > 0) steps.push({ statement: sql.bury, values: [JSON.stringify([...buried])] })
  if (bumped.length > 0) steps.push({ statement: sql.bump, values: [JSON.stringify(bumped)] })
  return steps
}

function eventJson(event: StoreEvent): object {
  return { ...event, detail: event.detail === undefined ? undefined : JSON.stringify(event.detail) }
}
