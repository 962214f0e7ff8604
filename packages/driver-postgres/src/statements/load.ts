import type { Fragments } from './fragments.ts'

/** Locks domains and loads what their decisions need. */
export function loadStatements({ s, run, clock, gone, holderJson, all, locked, lookUp }: Fragments) {
  return {
    /** domains, seed. Waits for each of them, and keeps their names for the statements below. */
    lockDomains: `SELECT set_config('slotkeeper.locked', $1::json::text, true), c.locked FROM (
      SELECT count(pg_advisory_xact_lock(l.key)) AS locked FROM (
        SELECT DISTINCT hashtextextended(d.domain, $2::bigint) AS key FROM json_array_elements_text($1::json) AS d(domain) ORDER BY 1) l) c`,
    /** domains, seed. The same for those that nobody has locked, without waiting. */
    tryLockDomains: `SELECT set_config('slotkeeper.locked', coalesce(json_agg(d.domain)
        FILTER (WHERE pg_try_advisory_xact_lock(hashtextextended(d.domain, $2::bigint))), '[]')::text, true)
      FROM json_array_elements_text($1::json) AS d(domain)`,
    /** domains with the size of their pages, named runs, named holders, the most rows of the dead */
    load: `WITH ${clock},
    asked AS MATERIALIZED (
      SELECT a.domain, a.overdue, a.heads FROM json_to_recordset($1::json) AS a(domain text, overdue integer, heads integer)
      WHERE a.domain = ANY (${locked})),
    repositories AS MATERIALIZED (
      SELECT r.*, a.overdue AS most_overdue, a.heads AS most_heads, greatest(clock.wall, r.committed_at) AS now
      FROM asked a CROSS JOIN clock ${lookUp('repository_states', 'r', 'r.repository_key = a.domain')}),
    named AS MATERIALIZED (
      SELECT ${run('s')} FROM json_to_recordset($2::json) AS n(repository text, run text)
      ${lookUp('concurrency_slots', 's', 's.repository_key = n.repository AND s.pipeline_run_key = n.run')}),
    ${gone},
    due AS MATERIALIZED (
      SELECT x.* FROM repositories r CROSS JOIN LATERAL (
        SELECT ${run('s')} FROM ${s}.concurrency_slots s
        WHERE s.repository_key = r.repository_key AND s.due_at <= r.now AND s.due_at IS NOT NULL AND s.phase <> 'record'
        ORDER BY s.due_at LIMIT r.most_overdue + 1 FOR UPDATE SKIP LOCKED) x
      WHERE r.status <> 'removing'),
    abandoned AS MATERIALIZED (
      SELECT x.* FROM gone CROSS JOIN repositories r CROSS JOIN LATERAL (
        SELECT ${run('s')} FROM ${s}.concurrency_slots s
        WHERE s.holder = gone.holder AND s.repository_key = r.repository_key AND (s.due_at IS NULL OR s.due_at > r.now)
        ORDER BY s.phase LIMIT r.most_overdue + 1 FOR UPDATE SKIP LOCKED) x
      WHERE r.status <> 'removing' LIMIT $4::bigint),
    removing AS MATERIALIZED (
      SELECT x.* FROM repositories r CROSS JOIN LATERAL (
        SELECT ${run('s')} FROM ${s}.concurrency_slots s WHERE s.repository_key = r.repository_key
        ORDER BY s.pipeline_run_key LIMIT r.most_overdue + 1 FOR UPDATE SKIP LOCKED) x
      WHERE r.status = 'removing'),
    heads AS MATERIALIZED (
      SELECT x.* FROM repositories r CROSS JOIN LATERAL (
        SELECT ${run('s')} FROM ${s}.concurrency_slots s
        WHERE s.repository_key = r.repository_key AND s.phase = 'waiting' AND s.due_at IS NULL
        ORDER BY s.priority DESC, s.sequence LIMIT r.most_heads + 1) x
      WHERE r.waiting > r.parked),
    known AS MATERIALIZED (
      SELECT DISTINCT k.holder FROM (
        SELECT json_array_elements_text($3::json) AS holder
        UNION ALL SELECT holder FROM named UNION ALL SELECT holder FROM due UNION ALL SELECT holder FROM abandoned
        UNION ALL SELECT holder FROM removing UNION ALL SELECT holder FROM heads) k WHERE k.holder IS NOT NULL)
    SELECT json_build_object(
      'wall', clock.wall, 'locked', current_setting('slotkeeper.locked')::json,
      'floor', (SELECT token_floor FROM ${s}.store WHERE one),
      'polled', (SELECT polled_until > clock.wall FROM ${s}.store WHERE one),
      'repositories', ${all('repositories')},
      'guards', (SELECT json_agg(row_to_json(d)) FROM asked a ${lookUp('domains', 'd', 'd.domain = a.domain')}),
      'named', ${all('named')}, 'due', ${all('due')}, 'abandoned', ${all('abandoned')},
      'removing', ${all('removing')}, 'heads', ${all('heads')},
      'holders', (SELECT json_agg(${holderJson}) FROM known k ${lookUp('holders', 'h', 'h.holder = k.holder')}))
    FROM clock`,
  }
}
