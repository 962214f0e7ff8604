import { join } from 'node:path'
import { sqliteDriver } from '@slotkeeper/driver-sqlite'
import Database from 'better-sqlite3'
import type { Case, Context } from '../../harness/case.ts'
import { commitFigures, writesFigures, writesSubjects } from '../writes.ts'

/** How often the observer looks; a heartbeat comes every 1,800 ms or later. */
const LOOK_MS = 5

/**
 * Counts commits of others from a connection of its own, by SQLite's `data_version`, which changes when somebody else has committed a
 * change. What is committed within one look counts once.
 */
function observe(path: string): () => number {
  let db: Database.Database | undefined
  let commits = 0
  let last: unknown
  const look = () => {
    const version = db?.pragma('data_version', { simple: true })
    if (last !== undefined && version !== last) commits++
    last = version
  }
  setInterval(look, LOOK_MS).unref()
  return () => {
    db ??= new Database(path, { readonly: true })
    look()
    return commits
  }
}

/** What is written while nothing happens. */
export const writes: Case = {
  name: 'writes',
  mostRuns: 3,
  subjects: writesSubjects(({ directory }: Context) => {
    const path = join(directory, `store-${process.pid}.db`)
    return { driver: sqliteDriver({ path }), commits: observe(path) }
  }),
  figures: [...writesFigures, ...commitFigures],
}
