import type { Fragments } from './fragments.ts'

/** Reads what is asked for, each of one moment. */
export function readStatements({ s, run, clock, holderJson, all, lookUp }: Fragments) {
  return {
    /** runs */
    readRuns: `WITH ${clock},
    asked AS MATERIALIZED (SELECT n.repository, n.run FROM json_to_recordset($1::json) AS n(repository text, run text)),
    runs AS MATERIALIZED (
      SELECT ${run('s')} FROM asked a
      ${lookUp('concurrency_slots', 's', 's.repository_key = a.repository AND s.pipeline_run_key = a.run')})
    ${snapshot('(SELECT DISTINCT repository AS key FROM asked)')}`,
    /** holder, the only phase that is wanted, or none */
    readHolder: `WITH ${clock},
    runs AS MATERIALIZED (
      SELECT ${run('s')} FROM ${s}.concurrency_slots s WHERE s.holder = $1 AND ($2::text IS NULL OR s.phase = $2))
    ${snapshot('(SELECT DISTINCT repository_key AS key FROM runs)')}`,
    /** after, first */
    readRepositories: `WITH ${clock}, runs AS MATERIALIZED (SELECT NULL::text AS holder WHERE false),
    page AS MATERIALIZED (
      SELECT r.repository_key AS key FROM ${s}.repository_states r WHERE r.repository_key > $1 ORDER BY r.repository_key LIMIT $2::bigint)
    ${snapshot('page')}`,
    /** repository, slots, waiting entries, run or none, places to count. Every running slot has a holder, every other one a due time. */
    readRepository: `WITH ${clock},
    kept AS MATERIALIZED (
      SELECT ${run('s')} FROM ${s}.concurrency_slots s WHERE s.repository_key = $1 AND s.due_at IS NOT NULL AND s.phase <> 'record'
        AND s.phase IN ('reserved', 'orphaned') ORDER BY s.due_at LIMIT $2::bigint),
    running AS MATERIALIZED (
      SELECT x.* FROM ${s}.holders h CROSS JOIN LATERAL (
        SELECT ${run('s')} FROM ${s}.concurrency_slots s
        WHERE s.holder = h.holder AND s.repository_key = $1 AND s.phase = 'running' LIMIT $2::bigint) x LIMIT $2::bigint),
    heads AS MATERIALIZED (
      SELECT ${run('s')} FROM ${s}.concurrency_slots s WHERE s.repository_key = $1 AND s.phase = 'waiting' AND s.due_at IS NULL
      ORDER BY s.priority DESC, s.sequence LIMIT $3::bigint),
    parked AS MATERIALIZED (
      SELECT ${run('s')} FROM ${s}.concurrency_slots s WHERE s.repository_key = $1 AND s.phase = 'waiting' AND s.due_at IS NOT NULL
      ORDER BY s.priority DESC, s.sequence LIMIT $3::bigint),
    asked AS MATERIALIZED (
      SELECT ${run('s')} FROM ${s}.concurrency_slots s WHERE s.repository_key = $1 AND s.pipeline_run_key = $4),
    before AS MATERIALIZED (
      SELECT (SELECT count(*) FROM (SELECT 1 FROM ${s}.concurrency_slots s WHERE s.repository_key = $1 AND s.phase = 'waiting'
          AND s.due_at IS NULL AND s.priority > a.priority
          ORDER BY s.priority DESC, s.sequence LIMIT $5::bigint) b)
        + (SELECT count(*) FROM (SELECT 1 FROM ${s}.concurrency_slots s WHERE s.repository_key = $1 AND s.phase = 'waiting'
          AND s.due_at IS NULL AND s.priority = a.priority AND s.sequence < a.sequence
          ORDER BY s.priority DESC, s.sequence LIMIT $5::bigint) b) AS entries
      FROM asked a WHERE a.phase = 'waiting'),
    runs AS MATERIALIZED (
      SELECT * FROM kept UNION ALL SELECT * FROM running UNION ALL SELECT * FROM heads UNION ALL SELECT * FROM parked
      UNION ALL SELECT * FROM asked)
    ${snapshot('(SELECT $1::text AS key)', `, 'before', (SELECT entries FROM before), 'asked', ${all('asked')}`)}`,
  }

  /** What was read of one moment, with the repositories of `keys` and the holders of `runs`. */
  function snapshot(keys: string, more = ''): string {
    return `SELECT json_build_object('wall', clock.wall,
      'repositories', (SELECT json_agg(row_to_json(r)) FROM ${keys} k
        ${lookUp('repository_states', 'r', 'r.repository_key = k.key')}),
      'runs', ${all('runs')},
      'holders', (SELECT json_agg(${holderJson}) FROM (SELECT DISTINCT holder FROM runs) k
        ${lookUp('holders', 'h', 'h.holder = k.holder')})
      ${more}) FROM clock`
  }
}
