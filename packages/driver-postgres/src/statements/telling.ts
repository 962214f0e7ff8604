import type { Fragments } from './fragments.ts'

/** Tells others what was committed. */
export function tellingStatements({ s, clock }: Fragments) {
  return {
    /** channel, payloads. Nothing is written that would have to outlive the server: nobody waits for its disk. */
    notify: `SELECT count(pg_notify($1, p.payload)), set_config('synchronous_commit', 'off', true) FROM json_array_elements_text($2::json) AS p(payload)`,
    /** payloads. For those who look, in the transaction that they tell of. */
    addHints: `INSERT INTO ${s}.hints (at, payload)
      SELECT extract(epoch FROM clock_timestamp()) * 1000, p.payload FROM json_array_elements_text($1::json) AS p(payload)`,
    /** for how long. Says that somebody looks into the hints. */
    willLook: `WITH ${clock} UPDATE ${s}.store SET polled_until = clock.wall + $1::double precision FROM clock
      WHERE one AND polled_until < clock.wall + $1::double precision / 2`,
    /** a transaction. Hints of it and of later ones, and the first transaction that may still add some. */
    look: `SELECT pg_snapshot_xmin(pg_current_snapshot()), (SELECT json_agg(x.payload) FROM (
      SELECT h.payload FROM ${s}.hints h WHERE h.transaction >= $1::xid8 ORDER BY h.transaction) x)`,
    /** limit. Hints of more than a minute ago. */
    forgetHints: `WITH ${clock}, old AS MATERIALIZED (
      SELECT h.ctid AS place FROM clock CROSS JOIN LATERAL (
        SELECT h.ctid FROM ${s}.hints h WHERE h.at < clock.wall - 60000 ORDER BY h.at LIMIT $1::bigint FOR UPDATE SKIP LOCKED) h)
    DELETE FROM ${s}.hints h WHERE h.ctid = ANY (ARRAY(SELECT old.place FROM old))`,
  }
}
