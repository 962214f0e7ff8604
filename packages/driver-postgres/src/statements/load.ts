import type { Fragments } from './fragments.ts'

/**
 * Locks domains and loads what their decisions need. What nearly every decision needs is read by small statements of one flight, whose
 * answers are rows: to set one large statement up took the server longer than to read.
 */
export function loadStatements({ s, run, clock, expiry, gone, lookUp }: Fragments) {
  const holder = `h.holder, h.ttl_ms, h.expires_at, h.dead, h.epoch`
  /** The holder of a row `s`, if it has one that is known. */
  const itsHolder = `LEFT JOIN LATERAL (SELECT ${holder} FROM ${s}.holders h WHERE h.holder = s.holder OFFSET 0) h ON true`
  const rows = `row_to_json(s), CASE WHEN h.holder IS NOT NULL THEN row_to_json(h) END`
  const abandons = (which: string) =>
    `EXISTS (SELECT 1 FROM ${s}.holders h ${lookUp('concurrency_slots', 's', 's.holder = h.holder AND s.repository_key = a.domain', '1')} WHERE ${which})`
  return {
    /** domain, seed. Waits for it. */
    lockDomain: `SELECT pg_advisory_xact_lock(hashtextextended($1::text, $2::bigint))`,
    /** domains, seed. Locks those that nobody has locked, without waiting, and answers them. */
    tryLockDomains: `SELECT d.domain FROM unnest($1::text[]) AS d(domain)
      WHERE pg_try_advisory_xact_lock(hashtextextended(d.domain, $2::bigint))`,
    /** domains. Answers each with the time, and whether it may have rows for `loadOverdue`. */
    loadDomains: `WITH ${clock}
      SELECT a.domain, clock.wall, clock.up, f.token_floor, f.polled_until > clock.wall, row_to_json(r), row_to_json(d),
        r.status = 'removing'
        OR EXISTS (SELECT 1 FROM ${s}.concurrency_slots s WHERE s.repository_key = a.domain
          AND s.due_at <= greatest(clock.wall, r.committed_at) AND s.due_at IS NOT NULL AND s.phase <> 'record')
        OR ${abandons('h.dead')}
        OR ${abandons(`NOT h.dead AND h.expires_at <= clock.wall AND ${expiry('h')} <= clock.wall`)}
      FROM clock CROSS JOIN ${s}.store f CROSS JOIN unnest($1::text[]) AS a(domain)
      LEFT JOIN LATERAL (SELECT * FROM ${s}.repository_states r WHERE r.repository_key = a.domain OFFSET 0) r ON true
      LEFT JOIN LATERAL (SELECT * FROM ${s}.domains d WHERE d.domain = a.domain OFFSET 0) d ON true
      WHERE f.one`,
    /** repositories, runs: of each its row */
    loadRuns: `SELECT ${rows} FROM unnest($1::text[], $2::text[]) AS n(repository, run)
      ${lookUp('concurrency_slots', 's', 's.repository_key = n.repository AND s.pipeline_run_key = n.run')} ${itsHolder}`,
    /** domains, how many: the entries of each that go next, and one more */
    loadHeads: `SELECT ${rows} FROM unnest($1::text[], $2::bigint[]) AS a(domain, heads) CROSS JOIN LATERAL (
        SELECT * FROM ${s}.concurrency_slots s WHERE s.repository_key = a.domain AND s.phase = 'waiting' AND s.due_at IS NULL
        ORDER BY s.priority DESC, s.sequence LIMIT a.heads + 1) s ${itsHolder}`,
    /** holders */
    loadHolders: `SELECT row_to_json(h) FROM (SELECT ${holder} FROM ${s}.holders h WHERE h.holder = ANY ($1::text[])) h`,
    /**
     * domains, how many of each, the time and since when the server is up, both as found, the most rows of the dead. What is due, what belongs to the dead, and what is left of repositories
     * that are to go: each kind with one more than asked for.
     */
    loadOverdue: `WITH clock AS MATERIALIZED (SELECT $3::double precision AS wall, $4::double precision AS up),
    repositories AS MATERIALIZED (
      SELECT r.repository_key, r.status, a.most, greatest(clock.wall, r.committed_at) AS now
      FROM clock CROSS JOIN unnest($1::text[], $2::bigint[]) AS a(domain, most)
      ${lookUp('repository_states', 'r', 'r.repository_key = a.domain', 'r.repository_key, r.status, r.committed_at')}),
    ${gone},
    due AS MATERIALIZED (
      SELECT x.* FROM repositories r CROSS JOIN LATERAL (
        SELECT ${run('s')} FROM ${s}.concurrency_slots s
        WHERE s.repository_key = r.repository_key AND s.due_at <= r.now AND s.due_at IS NOT NULL AND s.phase <> 'record'
        ORDER BY s.due_at LIMIT r.most + 1 FOR UPDATE SKIP LOCKED) x
      WHERE r.status <> 'removing'),
    abandoned AS MATERIALIZED (
      SELECT x.* FROM gone CROSS JOIN repositories r CROSS JOIN LATERAL (
        SELECT ${run('s')} FROM ${s}.concurrency_slots s
        WHERE s.holder = gone.holder AND s.repository_key = r.repository_key AND (s.due_at IS NULL OR s.due_at > r.now)
        ORDER BY s.phase LIMIT r.most + 1 FOR UPDATE SKIP LOCKED) x
      WHERE r.status <> 'removing' LIMIT $5::bigint),
    removing AS MATERIALIZED (
      SELECT x.* FROM repositories r CROSS JOIN LATERAL (
        SELECT ${run('s')} FROM ${s}.concurrency_slots s WHERE s.repository_key = r.repository_key
        ORDER BY s.pipeline_run_key LIMIT r.most + 1 FOR UPDATE SKIP LOCKED) x
      WHERE r.status = 'removing')
    SELECT ${rows}, s.kind FROM (
      SELECT 'due' AS kind, due.* FROM due UNION ALL SELECT 'abandoned', abandoned.* FROM abandoned
      UNION ALL SELECT 'removing', removing.* FROM removing) s ${itsHolder}`,
  }
}
