import type { Fragments } from './fragments.ts'

/** Finds what is overdue, and forgets what nobody needs any more. */
export function sweepStatements({ s, clock, expiry, gone, lookUp }: Fragments) {
  return {
    /** limit, for how long. Claims domains that need a decision and that nobody else has claimed. */
    claimDomains: `WITH ${clock}, ${gone},
    due AS MATERIALIZED (SELECT s.repository_key FROM clock CROSS JOIN LATERAL (
      SELECT s.repository_key FROM ${s}.concurrency_slots s
      WHERE s.due_at <= clock.wall AND s.due_at IS NOT NULL AND s.phase <> 'record' ORDER BY s.due_at LIMIT 1000) s),
    abandoned AS MATERIALIZED (SELECT s.repository_key FROM gone CROSS JOIN LATERAL (
      SELECT s.repository_key FROM ${s}.concurrency_slots s WHERE s.holder = gone.holder ORDER BY s.repository_key LIMIT 1000) s LIMIT 1000),
    removed AS MATERIALIZED (SELECT r.repository_key FROM clock CROSS JOIN LATERAL (
      SELECT r.repository_key FROM ${s}.repository_states r
      WHERE r.due_at IS NOT NULL AND r.due_at <= clock.wall ORDER BY r.due_at LIMIT 1000) r),
    found AS MATERIALIZED (
      SELECT r.domain FROM (SELECT repository_key FROM due UNION SELECT repository_key FROM abandoned
        UNION SELECT repository_key FROM removed) k ${lookUp('repository_states', 'r', 'r.repository_key = k.repository_key')}
      UNION
      SELECT d.domain FROM clock CROSS JOIN LATERAL (
        SELECT d.domain FROM ${s}.domains d WHERE d.backlog AND d.swept_until <= clock.wall ORDER BY d.swept_until LIMIT 1000) d),
    free AS MATERIALIZED (
      SELECT f.domain FROM clock CROSS JOIN found f
      WHERE coalesce((SELECT d.swept_until FROM ${s}.domains d WHERE d.domain = f.domain), 0) <= clock.wall ORDER BY f.domain LIMIT $1::bigint)
    INSERT INTO ${s}.domains AS d (domain, watched_until, backlog, swept_until)
      SELECT free.domain, 0, false, clock.wall + $2::double precision FROM free CROSS JOIN clock
      ON CONFLICT (domain) DO UPDATE SET swept_until = excluded.swept_until WHERE d.swept_until < excluded.swept_until - $2::double precision
      RETURNING domain`,
    /** limit. Records whose time is over; one that a decision is just using is left. */
    forgetRecords: `WITH ${clock}, old AS MATERIALIZED (
      SELECT s.ctid AS place FROM clock CROSS JOIN LATERAL (
        SELECT s.ctid FROM ${s}.concurrency_slots s
        WHERE s.phase = 'record' AND s.due_at <= clock.wall ORDER BY s.due_at LIMIT $1::bigint FOR UPDATE SKIP LOCKED) s)
    DELETE FROM ${s}.concurrency_slots s WHERE s.ctid = ANY (ARRAY(SELECT old.place FROM old)) RETURNING 1`,
    /** limit. Holders who are overdue die; a transaction of its own, so that it waits for grants with nothing else locked. */
    buryOverdue: `WITH ${clock}, late AS MATERIALIZED (
      SELECT h.ctid AS place FROM clock CROSS JOIN LATERAL (
        SELECT h.ctid FROM ${s}.holders h WHERE NOT h.dead AND h.expires_at <= clock.wall AND ${expiry('h')} <= clock.wall
        ORDER BY h.expires_at LIMIT $1::bigint FOR UPDATE SKIP LOCKED) h)
    UPDATE ${s}.holders h SET dead = true WHERE h.ctid = ANY (ARRAY(SELECT late.place FROM late)) RETURNING 1`,
    /** limit. Dead holders that no row names. */
    forgetHolders: `WITH old AS MATERIALIZED (
      SELECT h.ctid AS place FROM ${s}.holders h WHERE h.dead
        AND (SELECT s.phase FROM ${s}.concurrency_slots s WHERE s.holder = h.holder ORDER BY s.repository_key LIMIT 1) IS NULL
      ORDER BY h.expires_at LIMIT $1::bigint FOR UPDATE SKIP LOCKED)
    DELETE FROM ${s}.holders h WHERE h.ctid = ANY (ARRAY(SELECT old.place FROM old)) RETURNING 1`,
  }
}
