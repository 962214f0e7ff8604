import type { RunKey } from '@slotkeeper/core/driver'
import type { Database, Statement } from 'better-sqlite3'
import { REPOSITORY_COLUMNS } from './repository-columns.ts'
import { type Cell, RUN_COLUMNS } from './run-columns.ts'

const RUN = RUN_COLUMNS.map((column) => `run.${column}`).join(', ')
const REPOSITORY = ['id', ...REPOSITORY_COLUMNS].join(', ')
const values = (columns: readonly string[]) => columns.map(() => '?').join(', ')
const excluded = (columns: readonly string[]) =>
  columns.map((column) => `${column} = excluded.${column}`).join(', ')

/** How many runs `saveRuns` writes. */
export const RUNS_AT_ONCE = 16

const saveRuns = (rows: number) => `INSERT INTO run (${RUN_COLUMNS.join(', ')})
  VALUES ${Array(rows)
    .fill(`(${values(RUN_COLUMNS)})`)
    .join(', ')}
  ON CONFLICT (run, repository) DO UPDATE SET ${excluded(RUN_COLUMNS.slice(2))}`

/** Has something to do that no live caller will come for; parameter: now. */
const OVERDUE_WORK = `
  EXISTS (SELECT 1 FROM run INDEXED BY run_any_due WHERE due_at <= :now AND due_at IS NOT NULL AND phase <> 'record')
  OR EXISTS (SELECT 1 FROM holder WHERE dead = 1)
  OR EXISTS (SELECT 1 FROM holder WHERE dead = 0 AND expires_at <= :now)
  OR EXISTS (SELECT 1 FROM domain WHERE backlog = 1 AND swept_until <= :now)
  OR EXISTS (SELECT 1 FROM run INDEXED BY run_record WHERE phase = 'record' AND due_at <= :now)
  OR EXISTS (SELECT 1 FROM repository WHERE due_at IS NOT NULL AND due_at <= :now)`

/** Holders that keep nothing any more; parameter: now. */
const GONE = `(
  SELECT holder FROM holder WHERE dead = 1
  UNION ALL SELECT holder FROM holder WHERE dead = 0 AND expires_at <= :now)`

/**
 * Every statement of the driver. Writers run between `beginWrite` and `commit`, so what they read there nobody else can change.
 * The names of parameters tell their order; each part of an index's WHERE is repeated in the query,
 * and INDEXED BY names the index, so that a statement fails to prepare rather than ever read a whole queue.
 */
export function prepareStatements(db: Database) {
  const run = (sql: string): Statement<unknown[]> => db.prepare(sql)
  const rows = (sql: string): Statement<Cell[], Cell[]> => db.prepare<Cell[], Cell[]>(sql).raw()
  const named = (sql: string): Statement<[Record<string, Cell>], Cell[]> =>
    db.prepare<[Record<string, Cell>], Cell[]>(sql).raw()
  const one = (sql: string): Statement<Cell[], Cell> => db.prepare<Cell[], Cell>(sql).pluck()

  return {
    beginWrite: run('BEGIN IMMEDIATE'),
    beginRead: run('BEGIN DEFERRED'),
    commit: run('COMMIT'),
    rollback: run('ROLLBACK'),
    /** Moves whenever another connection has committed. */
    dataVersion: one('PRAGMA data_version'),

    about: rows('SELECT sqlite_version(), boot FROM meta'),
    tokenFloor: one('SELECT token_floor FROM meta'),
    noteTime: run('UPDATE meta SET latest = max(latest, ?)'),
    raiseFloor: run('UPDATE meta SET token_floor = max(token_floor, ?)'),

    holder: rows('SELECT holder, expires_at, dead, epoch FROM holder WHERE holder = ?'),
    anyDead: one('SELECT EXISTS (SELECT 1 FROM holder WHERE dead = 1)'),
    firstExpiry: one('SELECT min(expires_at) FROM holder WHERE dead = 0'),
    /** holder, ttl, expires at */
    openHolder: run('INSERT INTO holder (holder, ttl_ms, expires_at, dead, epoch) VALUES (?, ?, ?, 0, 0)'),
    /** now, holder, now */
    heartbeat: rows(
      'UPDATE holder SET expires_at = ttl_ms + ? WHERE holder = ? AND dead = 0 AND expires_at > ? RETURNING ttl_ms, epoch',
    ),
    /** holder, by when it has to be overdue */
    bury: run('UPDATE holder SET dead = 1 WHERE holder = ? AND dead = 0 AND expires_at <= ?'),
    bump: run('UPDATE holder SET epoch = epoch + 1 WHERE holder = ?'),
    overdueWork: db.prepare<[{ now: number }], number>(`SELECT ${OVERDUE_WORK}`).pluck(),

    guard: rows('SELECT watched_until, backlog FROM domain WHERE domain = ?'),
    /** domain, watched until, backlog. Taking care of the backlog ends the claim on it. */
    saveGuard: run(`INSERT INTO domain (domain, watched_until, backlog, swept_until) VALUES (?, ?, ?, 0)
      ON CONFLICT (domain) DO UPDATE SET watched_until = excluded.watched_until, backlog = excluded.backlog, swept_until = 0`),

    repository: rows(`SELECT ${REPOSITORY} FROM repository WHERE repository = ?`),
    /** id */
    keyOf: one('SELECT repository FROM repository WHERE id = ?'),
    /** Gives the id. */
    saveRepository:
      one(`INSERT INTO repository (${REPOSITORY_COLUMNS.join(', ')}) VALUES (${values(REPOSITORY_COLUMNS)})
      ON CONFLICT (repository) DO UPDATE SET ${excluded(REPOSITORY_COLUMNS.slice(1))} RETURNING id`),
    /** counts, committed at, id */
    saveCounts: run('UPDATE repository SET counts = ?, committed_at = ? WHERE id = ?'),
    dropRepository: run('DELETE FROM repository WHERE repository = ?'),
    dropDomain: run('DELETE FROM domain WHERE domain = ?'),
    /** after, first */
    repositories: rows(
      `SELECT ${REPOSITORY} FROM repository WHERE repository > ? ORDER BY repository LIMIT ?`,
    ),

    /** run, repository's id, as in every statement on runs */
    run: rows(`SELECT ${RUN} FROM run WHERE run = ? AND repository = ?`),
    saveRun: run(saveRuns(1)),
    saveRuns: run(saveRuns(RUNS_AT_ONCE)),
    dropRun: run('DELETE FROM run WHERE run = ? AND repository = ?'),
    /** The earliest time at which something must happen to a row of the repository. */
    firstDue: one(
      "SELECT min(due_at) FROM run INDEXED BY run_due WHERE repository = ? AND due_at IS NOT NULL AND phase <> 'record'",
    ),
    /** repository, now, limit */
    due: rows(`SELECT ${RUN} FROM run INDEXED BY run_due
      WHERE repository = ? AND due_at <= ? AND due_at IS NOT NULL AND phase <> 'record' ORDER BY due_at LIMIT ?`),
    /** Rows of holders that are gone, without those that are due as well. */
    abandoned:
      named(`SELECT ${RUN} FROM ${GONE} AS gone CROSS JOIN run INDEXED BY run_holder ON run.holder = gone.holder AND run.repository = :repository
      WHERE run.due_at IS NULL OR run.due_at > :now LIMIT :limit`),
    /** Rows that wait or hold. */
    live: named(`SELECT ${RUN} FROM run INDEXED BY run_queue WHERE repository = :repository AND phase = 'waiting' AND due_at IS NULL
      UNION ALL SELECT ${RUN} FROM run INDEXED BY run_due WHERE repository = :repository AND due_at IS NOT NULL AND phase <> 'record'
      UNION ALL SELECT ${RUN} FROM holder CROSS JOIN run INDEXED BY run_holder ON run.holder = holder.holder AND run.repository = :repository
        WHERE run.phase = 'running' AND run.due_at IS NULL
      LIMIT :limit`),
    /** repository, limit; from the index alone, since most of these rows are remembered */
    headKeys: db
      .prepare<[number, number], RunKey>(
        `SELECT run FROM run INDEXED BY run_queue
      WHERE repository = ? AND phase = 'waiting' AND due_at IS NULL ORDER BY priority DESC, sequence LIMIT ?`,
      )
      .pluck(),
    /** repository, limit */
    heads: rows(`SELECT ${RUN} FROM run INDEXED BY run_queue
      WHERE repository = ? AND phase = 'waiting' AND due_at IS NULL ORDER BY priority DESC, sequence LIMIT ?`),
    /** repository, limit */
    parked: rows(`SELECT ${RUN} FROM run INDEXED BY run_parked
      WHERE repository = ? AND phase = 'waiting' AND due_at IS NOT NULL ORDER BY priority DESC, sequence LIMIT ?`),
    /** repository, limit; every running row has a holder, and there are few holders */
    running:
      rows(`SELECT ${RUN} FROM holder CROSS JOIN run INDEXED BY run_holder ON run.holder = holder.holder AND run.repository = ?
      WHERE run.phase = 'running' LIMIT ?`),
    /** repository, limit; every reserved or orphaned row has a time when it is due */
    kept: rows(`SELECT ${RUN} FROM run INDEXED BY run_due
      WHERE repository = ? AND due_at IS NOT NULL AND phase <> 'record' AND phase IN ('reserved', 'orphaned') LIMIT ?`),
    /** holder; the repository's key in front */
    ofHolder:
      rows(`SELECT repository.repository, ${RUN} FROM run INDEXED BY run_holder JOIN repository ON repository.id = run.repository
      WHERE run.holder = ?`),
    /** repository, priority, limit */
    before: one(`SELECT count(*) FROM (SELECT 1 FROM run INDEXED BY run_queue
      WHERE repository = ? AND phase = 'waiting' AND due_at IS NULL AND priority > ? LIMIT ?)`),
    /** repository, priority, sequence, limit */
    beforeAmongEquals: one(`SELECT count(*) FROM (SELECT 1 FROM run INDEXED BY run_queue
      WHERE repository = ? AND phase = 'waiting' AND due_at IS NULL AND priority = ? AND sequence < ? LIMIT ?)`),

    sweepDue:
      named(`SELECT DISTINCT repository.domain FROM run INDEXED BY run_any_due JOIN repository ON repository.id = run.repository
      LEFT JOIN domain ON domain.domain = repository.domain
      WHERE run.due_at <= :now AND run.due_at IS NOT NULL AND run.phase <> 'record' AND coalesce(domain.swept_until, 0) <= :now LIMIT :limit`),
    sweepAbandoned:
      named(`SELECT DISTINCT repository.domain FROM ${GONE} AS gone CROSS JOIN run INDEXED BY run_holder ON run.holder = gone.holder
      JOIN repository ON repository.id = run.repository LEFT JOIN domain ON domain.domain = repository.domain
      WHERE coalesce(domain.swept_until, 0) <= :now LIMIT :limit`),
    sweepBacklog: named('SELECT domain FROM domain WHERE backlog = 1 AND swept_until <= :now LIMIT :limit'),
    sweepRemoved:
      named(`SELECT DISTINCT repository.domain FROM repository LEFT JOIN domain ON domain.domain = repository.domain
      WHERE repository.due_at IS NOT NULL AND repository.due_at <= :now AND coalesce(domain.swept_until, 0) <= :now LIMIT :limit`),
    /** domain, until */
    claimDomain: run(`INSERT INTO domain (domain, watched_until, backlog, swept_until) VALUES (?, 0, 0, ?)
      ON CONFLICT (domain) DO UPDATE SET swept_until = excluded.swept_until`),
    /** now */
    buryOverdue: run('UPDATE holder SET dead = 1 WHERE dead = 0 AND expires_at <= ?'),
    /** limit */
    purgeHolders: run(`DELETE FROM holder WHERE holder IN (SELECT holder FROM holder
      WHERE dead = 1 AND NOT EXISTS (SELECT 1 FROM run INDEXED BY run_holder WHERE run.holder = holder.holder) LIMIT ?)`),
    /** now, limit */
    oldRecords: rows(`SELECT run, repository FROM run INDEXED BY run_record
      WHERE phase = 'record' AND due_at <= ? ORDER BY due_at LIMIT ?`),

    settled: one('SELECT settled FROM meta'),
    /** up to this id, which `dropRecent` deletes */
    noteSettled: run('UPDATE meta SET settled = ?'),
    dropRecent: run('DELETE FROM recent'),
    /** id, at, changes */
    addRecent: run('INSERT INTO recent (id, at, changes) VALUES (?, ?, ?)'),
    /** after this id */
    recentAfter: rows('SELECT id, changes FROM recent WHERE id > ? ORDER BY id'),

    newestEvent: one('SELECT coalesce(max(id), 0) FROM event'),
    /** origin, events */
    addEvents: run('INSERT INTO event (origin, events) VALUES (?, ?)'),
    /** up to this id */
    pruneEvents: run('DELETE FROM event WHERE id <= ?'),
    /** after this id, limit */
    eventsAfter: rows('SELECT id, origin, events FROM event WHERE id > ? ORDER BY id LIMIT ?'),
  }
}

/** What `prepareStatements` gives: every statement of a store, on one connection. */
export type Statements = ReturnType<typeof prepareStatements>
