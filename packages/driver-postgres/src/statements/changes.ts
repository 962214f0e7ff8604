import { REPOSITORY_COLUMNS, RUN_COLUMNS } from '../rows.ts'
import type { Fragments } from './fragments.ts'

/** Writes what a decision recorded. */
export function changesStatements({ s, run, excluded, clock, expiry, lookUp }: Fragments) {
  const firstDue = `least(n.quiet_until, (SELECT o.due_at FROM ${s}.concurrency_slots o WHERE o.repository_key = n.repository_key
        AND o.due_at IS NOT NULL AND o.phase <> 'record' ORDER BY o.due_at LIMIT 1))`
  return {
    /** runs that hold a slot and will change. Fails at once (55P03) when one is pinned. */
    mustNotBePinned: `SELECT count(*) FROM (
      SELECT 1 FROM json_to_recordset($1::json) AS n(repository text, run text)
      CROSS JOIN LATERAL (SELECT 1 FROM ${s}.concurrency_slots s
        WHERE s.repository_key = n.repository AND s.pipeline_run_key = n.run FOR UPDATE NOWAIT) s) l`,
    /** holders who get something, how many. Fails (22012) unless all of them are not dead. */
    holdersGain: `SELECT 1 / CASE WHEN count(*) FILTER (WHERE NOT l.dead) = $2::bigint THEN 1 ELSE 0 END FROM (
      SELECT h.dead FROM ${s}.holders h WHERE h.holder = ANY (ARRAY(SELECT json_array_elements_text($1::json)))
      ORDER BY h.holder FOR KEY SHARE) l`,
    /**
     * all holders concerned; who gets something, how many; who is to die, how many; now. Fails (22012) unless the former are not dead and
     * the latter overdue or dead already.
     */
    holdersLose: `SELECT 1 / CASE WHEN count(*) FILTER (WHERE l.gains AND NOT l.dead) = $3::bigint
        AND count(*) FILTER (WHERE l.dies AND (l.dead OR l.overdue)) = $5::bigint THEN 1 ELSE 0 END
      FROM (WITH ${clock} SELECT h.dead, h.holder = ANY (ARRAY(SELECT json_array_elements_text($2::json))) AS gains,
          h.holder = ANY (ARRAY(SELECT json_array_elements_text($4::json))) AS dies, ${expiry('h')} <= $6::double precision AS overdue
        FROM clock CROSS JOIN ${s}.holders h WHERE h.holder = ANY (ARRAY(SELECT json_array_elements_text($1::json)))
        ORDER BY h.holder FOR UPDATE OF h) l`,
    /** holders */
    bury: `UPDATE ${s}.holders SET dead = true WHERE holder = ANY (ARRAY(SELECT json_array_elements_text($1::json))) AND NOT dead`,
    /** holders, each as often as it lost something */
    bump: `UPDATE ${s}.holders h SET epoch = h.epoch + (
      SELECT count(*) FROM json_array_elements_text($1::json) AS k(holder) WHERE k.holder = h.holder)::integer
      WHERE h.holder = ANY (ARRAY(SELECT json_array_elements_text($1::json)))`,
    /** rows */
    saveRuns: `INSERT INTO ${s}.concurrency_slots (${RUN_COLUMNS.join(', ')})
      SELECT ${run('n')} FROM json_populate_recordset(NULL::${s}.concurrency_slots, $1::json) n
      ON CONFLICT (repository_key, pipeline_run_key) DO UPDATE SET ${excluded(RUN_COLUMNS.slice(2))}`,
    /** runs */
    dropRuns: `DELETE FROM ${s}.concurrency_slots s WHERE s.ctid = ANY (ARRAY(
      SELECT s.ctid FROM json_to_recordset($1::json) AS n(repository text, run text)
      ${lookUp('concurrency_slots', 's', 's.repository_key = n.repository AND s.pipeline_run_key = n.run', 's.ctid')}))`,
    /** rows. After their runs. */
    saveRepositories: `INSERT INTO ${s}.repository_states (${REPOSITORY_COLUMNS.join(', ')})
      SELECT ${REPOSITORY_COLUMNS.map((column) => (column === 'quiet_until' ? firstDue : `n.${column}`)).join(', ')}
      FROM json_populate_recordset(NULL::${s}.repository_states, $1::json) n
      ON CONFLICT (repository_key) DO UPDATE SET ${excluded(REPOSITORY_COLUMNS.slice(1))}`,
    /** keys */
    dropRepositories: `DELETE FROM ${s}.repository_states WHERE repository_key = ANY (ARRAY(SELECT json_array_elements_text($1::json)))`,
    /** domains */
    dropDomains: `DELETE FROM ${s}.domains WHERE domain = ANY (ARRAY(SELECT json_array_elements_text($1::json)))`,
    /** token */
    raiseFloor: `UPDATE ${s}.store SET token_floor = greatest(token_floor, $1::bigint) WHERE one`,
    /** rows. Taking care of a backlog ends the claim on it. */
    saveGuards: `INSERT INTO ${s}.domains (domain, watched_until, backlog, swept_until)
      SELECT n.domain, n.watched_until, n.backlog, 0
      FROM json_to_recordset($1::json) AS n(domain text, watched_until double precision, backlog boolean)
      ON CONFLICT (domain) DO UPDATE SET watched_until = excluded.watched_until, backlog = excluded.backlog, swept_until = 0`,
    /** events */
    appendEvents: `INSERT INTO ${s}.slot_events (at, kind, repository_key, pipeline_run_key, holder, ticket, phase, token, number, detail)
      SELECT e.at, e.kind, e.repository, e.run, e.holder, e.ticket, e.phase, e.token, e.number, e.detail
      FROM json_to_recordset($1::json) AS e(at double precision, kind text, repository text, run text, holder text, ticket text,
        phase text, token bigint, number integer, detail text)`,
  }
}
