import { HIGHEST_WALL_FLOOR_MS } from '../load-facts.ts'
import type { Fragments } from './fragments.ts'

/** Decides what is simple where the rows are. */
export function atOnceStatements({ s, clock, expiry, gone, holderJson, locked, quiet }: Fragments) {
  return {
    /**
     * rows to be, with what they are asked for; their holder. Grants slots where decide would grant them and do nothing else: the limit
     * is as it was, there is room, nobody waits, nothing is overdue, nobody watches. Answers what decide needs to say the same.
     */
    takeAtOnce: `WITH ${clock}, ${gone},
    asked AS MATERIALIZED (
      SELECT a.* FROM json_to_recordset($1::json) AS a(repository text, run text, proposal text, slot_limit integer,
        valid_until double precision, run_uid text, ticket text, durable boolean, priority double precision, meta text,
        max_hold_ms double precision, claim_timeout_ms double precision, lease_ttl_ms double precision)
      WHERE a.repository = ANY (${locked})),
    held AS MATERIALIZED (
      SELECT h.holder, ${holderJson} AS json FROM clock CROSS JOIN ${s}.holders h
      WHERE h.holder = $2 AND NOT h.dead AND ${expiry('h')} > clock.wall FOR KEY SHARE OF h),
    before AS MATERIALIZED (
      SELECT a.*, held.holder, held.json AS holder_json, clock.wall, greatest(clock.wall, r.committed_at) AS now, r.local_limit, r.live, r.numbers, r.last_sequence,
        greatest(r.last_token, f.token_floor, CASE WHEN clock.wall <= ${HIGHEST_WALL_FLOOR_MS} THEN (clock.wall * 1000)::bigint END) AS floor,
        row_to_json(r) AS json
      FROM held CROSS JOIN clock CROSS JOIN asked a JOIN ${s}.repository_states r ON r.repository_key = a.repository
      LEFT JOIN ${s}.domains d ON d.domain = a.repository CROSS JOIN ${s}.store f
      WHERE f.one AND ${quiet} AND r.state = 'active' AND r.local_limit = a.proposal AND (a.slot_limit = 0 OR r.live < a.slot_limit)
        AND (a.valid_until = 0 OR greatest(clock.wall, r.committed_at) <= a.valid_until)
        AND NOT EXISTS (SELECT 1 FROM ${s}.concurrency_slots s WHERE s.repository_key = a.repository AND s.pipeline_run_key = a.run)),
    numbered AS MATERIALIZED (
      SELECT b.*, CASE WHEN b.slot_limit = 0 THEN 0 ELSE (w.at - 1) * 32 + round(ln(w.low) / ln(2)) + 1 END::integer AS number,
        CASE WHEN b.slot_limit = 0 THEN b.numbers
          ELSE b.numbers[:w.at - 1] || ((w.word | w.low) - CASE WHEN (w.word | w.low) >= 2147483648 THEN 4294967296 ELSE 0 END)::integer
            || b.numbers[w.at + 1:] END AS numbers_after
      FROM before b CROSS JOIN LATERAL (
        SELECT u.at::integer, u.word, (~u.word & 4294967295) & -(~u.word & 4294967295) AS low
        FROM (SELECT n.word::bigint & 4294967295 AS word, n.at FROM unnest(b.numbers || 0) WITH ORDINALITY AS n(word, at)) u
        WHERE u.word <> 4294967295 ORDER BY u.at LIMIT 1) w),
    counted AS (
      UPDATE ${s}.repository_states r SET live = r.live + 1, last_sequence = r.last_sequence + 1, last_token = n.floor + 1,
        numbers = n.numbers_after, committed_at = n.now
      FROM numbered n WHERE r.repository_key = n.repository
      RETURNING n.*, n.floor + 1 AS token, n.last_sequence + 1 AS sequence, r.live AS live_now, r.numbers AS numbers_now),
    taken AS (
      INSERT INTO ${s}.concurrency_slots (repository_key, pipeline_run_key, phase, state, holder, priority, sequence, due_at, token, number,
        run_uid, ticket, durable, meta, hold_until, max_hold_ms, claim_timeout_ms, lease_ttl_ms, parks, queued_at, acquired_at, started_at)
      SELECT c.repository, c.run, 'running', 'started', c.holder, c.priority, c.sequence,
        CASE WHEN c.max_hold_ms > 0 THEN c.now + c.max_hold_ms END, c.token, c.number, c.run_uid, c.ticket, c.durable, c.meta,
        CASE WHEN c.max_hold_ms > 0 THEN c.now + c.max_hold_ms END, c.max_hold_ms, c.claim_timeout_ms, c.lease_ttl_ms, 0,
        c.wall, c.wall, c.wall
      FROM counted c)
    SELECT json_agg(json_build_object('domain', c.repository, 'now', c.now, 'wall', c.wall, 'floor', c.floor, 'repository', c.json,
      'holder', c.holder_json, 'token', c.token, 'sequence', c.sequence, 'number', c.number,
      'live', c.live_now, 'numbers', c.numbers_now)) FROM counted c`,
    /**
     * slots to be given back, their holder, how long records are kept. Ends slots where decide would end them and do nothing else: nobody
     * waits, nothing is overdue, nobody watches. Answers what decide needs to say the same.
     */
    giveBackAtOnce: `WITH ${clock}, ${gone},
    asked AS MATERIALIZED (
      SELECT a.* FROM json_to_recordset($1::json) AS a(repository text, run text, token bigint, ticket text, ended_as text)
      WHERE a.repository = ANY (${locked})),
    before AS MATERIALIZED (
      SELECT a.*, clock.wall, greatest(clock.wall, r.committed_at) AS now, r.numbers, row_to_json(r) AS json,
        row_to_json(s) AS run_json, ${holderJson} AS holder_json, s.number, s.state
      FROM clock CROSS JOIN ${s}.holders h CROSS JOIN asked a JOIN ${s}.repository_states r ON r.repository_key = a.repository
      JOIN ${s}.concurrency_slots s ON s.repository_key = a.repository AND s.pipeline_run_key = a.run
      LEFT JOIN ${s}.domains d ON d.domain = a.repository
      WHERE h.holder = $2 AND s.phase = 'running' AND s.token = a.token AND s.holder = $2 AND ${quiet} FOR UPDATE OF s SKIP LOCKED),
    numbered AS MATERIALIZED (
      SELECT b.*, CASE WHEN b.number = 0 THEN b.numbers ELSE b.numbers[:(b.number - 1) / 32]
        || (b.numbers[(b.number - 1) / 32 + 1] & ~(1 << ((b.number - 1) % 32))) || b.numbers[(b.number - 1) / 32 + 2:] END AS numbers_after
      FROM before b),
    counted AS (
      UPDATE ${s}.repository_states r SET live = r.live - 1, committed_at = n.now,
        numbers = n.numbers_after[:coalesce((SELECT max(w.at) FROM unnest(n.numbers_after) WITH ORDINALITY AS w(word, at)
          WHERE w.word <> 0), 1)::integer]
      FROM numbered n WHERE r.repository_key = n.repository RETURNING n.*, r.live AS live_now, r.numbers AS numbers_now),
    ended AS (
      UPDATE ${s}.concurrency_slots s SET phase = 'record', holder = NULL, due_at = c.now + $3::double precision, hold_until = NULL,
        number = 0, ending = 'released', ended_by = c.ticket, ended_at = c.wall,
        state = CASE WHEN s.state IN ('completed', 'failed', 'cancelled', 'expired') THEN s.state ELSE c.ended_as END
      FROM counted c WHERE s.repository_key = c.repository AND s.pipeline_run_key = c.run)
    SELECT json_agg(json_build_object('domain', c.repository, 'now', c.now, 'wall', c.wall, 'floor', 0, 'repository', c.json,
      'holder', c.holder_json, 'run', c.run_json, 'live', c.live_now, 'numbers', c.numbers_now)) FROM counted c`,
  }
}
