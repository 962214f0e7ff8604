import { type Changes, InternalError } from '@slotkeeper/core/driver'
import { countedCells, onlyCounted, repositoryCells } from './repository-columns.ts'
import { movedCells, onlyMoved, runCells } from './run-columns.ts'
import type { Store } from './store.ts'

/**
 * Writes what a decision recorded. Runs in the write transaction in which its facts were loaded, so its conditions hold: nobody can
 * have moved the guard or buried a holder since.
 */
export function applyChanges(store: Store, domain: string, now: number, changes: Changes): void {
  const { sql, mirror } = store
  for (const { row } of changes.runs) {
    const before = mirror.repository(row.repository).runs.get(row.run)
    if (before !== undefined && onlyMoved(row, before)) sql.saveMoved.run(movedCells(row))
    else sql.saveRun.run(runCells(row))
    mirror.setRun(row)
  }
  for (const { row } of changes.droppedRuns) {
    sql.dropRun.run(row.repository, row.run)
    mirror.dropRun(row.repository, row.run)
  }
  for (const row of changes.repositories) {
    const known = mirror.repository(row.repository)
    if (known.row !== undefined && onlyCounted(row, known.row)) sql.saveCounted.run(countedCells(row, now))
    else sql.saveRepository.run(repositoryCells(row, now))
    known.row = row
    known.committedAt = now
  }
  for (const key of changes.droppedRepositories) {
    sql.dropRepository.run(key)
    sql.dropDomain.run(key)
    mirror.repository(key).row = undefined
    mirror.setGuard(key, undefined)
  }
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
