import { type Changes, InternalError, type RepositoryKey, type RepositoryRow } from '@slotkeeper/core/driver'
import type { Mirror } from './mirror.ts'
import { isPlain } from './recent.ts'
import { countsOf, onlyCounted, repositoryCells } from './repository-columns.ts'
import { runCells } from './run-columns.ts'
import type { Store } from './store.ts'

/**
 * Writes what a decision recorded. Runs in the write transaction in which its facts were loaded, so its conditions hold: nobody can
 * have moved the guard or buried a holder since.
 */
export function applyChanges(store: Store, domain: string, now: number, changes: Changes): void {
  const { sql, mirror } = store
  const repositories = touchedRepositories(mirror, domain as RepositoryKey, changes)
  if (mayStayAhead(mirror, changes)) saveAhead(mirror, now, repositories, changes)
  else writeRows(store, now, repositories, changes)
  if (changes.tokenFloor > 0) {
    sql.raiseFloor.run(changes.tokenFloor)
    mirror.tokenFloor = Math.max(mirror.tokenFloor, changes.tokenFloor)
  }
  if (changes.guard !== undefined) {
    sql.saveGuard.run(domain, changes.guard.watchedUntil, changes.guard.backlog ? 1 : 0)
    mirror.setGuard(domain, { ...changes.guard })
  }
  for (const holder of changes.buried)
    if (sql.bury.run(holder, now).changes !== 1)
      throw new InternalError(`Holder ${holder} was to be buried and is not overdue.`)
  for (const holder of changes.bumped) sql.bump.run(holder)
  if (changes.buried.length > 0 || changes.bumped.length > 0) mirror.forgetHolders()
}

/**
 * The rows of all repositories that the commit touches: what changed, the domain's own, and those whose runs changed. Each notes the
 * time of the commit, before which no later one may be.
 */
function touchedRepositories(
  mirror: Mirror,
  domain: RepositoryKey,
  { repositories, droppedRepositories, runs }: Changes,
): readonly RepositoryRow[] {
  const [first] = repositories
  // The commonest: its own one.
  if (
    first?.repository === domain &&
    repositories.length === 1 &&
    runs.every(({ row }) => row.repository === domain)
  )
    return repositories
  const touched = [...repositories]
  const touch = (key: RepositoryKey) => {
    if (touched.some(({ repository }) => repository === key) || droppedRepositories.includes(key)) return
    const { row } = mirror.repository(key)
    if (row !== undefined) touched.push(row)
  }
  touch(domain)
  for (const { row } of runs) touch(row.repository)
  return touched
}

/**
 * Whether nobody looks for the changed rows but by their own keys, so that they may go before the tables: records, and running slots that
 * have no due time and were never anything else. (Rows of a holder that is gone are looked for after settling.)
 */
function mayStayAhead(mirror: Mirror, changes: Changes): boolean {
  if (changes.droppedRuns.length > 0 || changes.droppedRepositories.length > 0) return false
  for (const row of changes.repositories) {
    const known = mirror.repository(row.repository).row
    if (known === undefined || !onlyCounted(row, known)) return false
  }
  return changes.runs.every(({ row, before }) => isPlain(row) && (before === undefined || isPlain(before)))
}

function saveAhead(
  mirror: Mirror,
  now: number,
  repositories: readonly RepositoryRow[],
  { runs }: Changes,
): void {
  const rows = runs.map(({ row }) => row)
  for (const row of repositories) {
    const { repository: key } = row
    const own = repositories.length === 1 ? rows : rows.filter((run) => run.repository === key)
    mirror.saveAhead(row, now, own)
  }
}

function writeRows(
  { sql, mirror }: Store,
  now: number,
  repositories: readonly RepositoryRow[],
  changes: Changes,
): void {
  for (const { repository } of repositories) mirror.settle(repository)
  for (const repository of changes.droppedRepositories) mirror.settle(repository)
  for (const { row } of changes.runs) mirror.settle(row.repository)
  for (const { row } of changes.droppedRuns) {
    mirror.settle(row.repository)
    sql.dropRun.run(row.run, mirror.idOf(row.repository))
    mirror.dropRun(row.repository, row.run)
  }
  for (const key of changes.droppedRepositories) {
    sql.dropRepository.run(key)
    sql.dropDomain.run(key)
    Object.assign(mirror.repository(key), { id: undefined, row: undefined })
    mirror.setGuard(key, undefined)
  }
  for (const row of repositories) {
    const known = mirror.repository(row.repository)
    if (known.id !== undefined && known.row !== undefined && onlyCounted(row, known.row))
      sql.saveCounts.run(countsOf(row), now, known.id)
    else {
      // Another life gets another id, and with it no records.
      if (known.row?.status === 'removing' && row.status !== 'removing')
        sql.dropRepository.run(row.repository)
      known.id = sql.saveRepository.get(...repositoryCells(row, now)) as number
    }
    known.row = row
    known.committedAt = now
  }
  for (const { row } of changes.runs) {
    sql.saveRun.run(runCells(mirror.idOf(row.repository), row))
    mirror.setRun(row)
  }
}
