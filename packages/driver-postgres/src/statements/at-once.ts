import { HIGHEST_WALL_FLOOR_MS } from '../load-facts.ts'
import { REPOSITORY_COLUMNS, RUN_COLUMNS } from '../rows.ts'
import type { Fragments } from './fragments.ts'

/** What both of the statements over many answer: a repository as it was, the holder, times, the slot's number, the numbers in use now. */
export const DONE_COLUMNS = [
  ...REPOSITORY_COLUMNS,
  ...(['now', 'wall', 'floor', 'holder', 'expires_at', 'epoch', 'dead', 'number', 'numbers_after'] as const),
] as const

/** Decides what is simple where the rows are. Each answers, for every domain that it has decided, what decide needs to say the same. */
export function atOnceStatements({ s, clock, gone, locked }: Fragments) {
  const repository = REPOSITORY_COLUMNS.map((column) => `r.${column}`).join(', ')
  const slot = (alias: string) => RUN_COLUMNS.map((column) => `${alias}.slot_${column}`).join(', ')
  const done = DONE_COLUMNS.map((column) => `n.${column}`).join(', ')
  /** Nothing but the command itself is to be decided for the repository of `a`, whose row is `w`. */
  const quiet = `(SELECT d.backlog OR d.watched_until > w.now FROM ${s}.domains d WHERE d.domain = a.repository) IS NOT TRUE
        AND ((SELECT o.due_at FROM ${s}.concurrency_slots o WHERE o.repository_key = a.repository AND o.due_at IS NOT NULL
          AND o.phase <> 'record' ORDER BY o.due_at LIMIT 1) <= w.now) IS NOT TRUE
        AND NOT EXISTS (SELECT 1 FROM gone CROSS JOIN LATERAL (
          SELECT 1 FROM ${s}.concurrency_slots o WHERE o.holder = gone.holder AND o.repository_key = a.repository
          ORDER BY o.phase LIMIT 1) o)`
  return {
    /** seed, holder, what is asked for. Grants a slot where decide would do so and nothing else. */
    takeAtOnce: `SELECT ${s}.take_at_once($1::bigint, $2, $3, $4, $5, $6::integer, $7::double precision, $8, $9, $10::boolean,
      $11::double precision, $12, $13::double precision, $14::double precision, $15::double precision)`,
    /** seed, holder, slot, by which ticket, as what, how long the record is kept. Ends a slot where decide would do so and nothing else. */
    giveBackAtOnce: `SELECT ${s}.give_back_at_once($1::bigint, $2, $3, $4, $5::bigint, $6, $7, $8::double precision)`,

    /** rows to be, with what they are asked for; their holder. The same for many repositories, each once, that are locked. */
    takeManyAtOnce: `WITH ${clock}, ${gone},
    held AS MATERIALIZED (
      SELECT h.holder, h.expires_at, h.epoch, h.dead, clock.wall, NOT h.dead AND h.expires_at > clock.wall AS is_alive,
        greatest(f.token_floor, CASE WHEN clock.wall <= ${HIGHEST_WALL_FLOOR_MS} THEN (clock.wall * 1000)::bigint END) AS floor
      FROM clock CROSS JOIN ${s}.store f CROSS JOIN ${s}.holders h
      WHERE f.one AND h.holder = $2 FOR KEY SHARE OF h),
    before AS MATERIALIZED (
      SELECT a.*, w.*, coalesce(w.numbers[1], 0)::bigint AS word
      FROM held CROSS JOIN json_to_recordset($1::json) AS a(repository text, run text, proposal text, slot_limit integer,
        valid_until double precision, run_uid text, ticket text, durable boolean, priority double precision, meta text,
        max_hold_ms double precision, claim_timeout_ms double precision, lease_ttl_ms double precision)
      CROSS JOIN LATERAL (
        SELECT ${repository}, r.ctid AS place, held.wall, greatest(held.wall, r.committed_at) AS now, held.holder, held.expires_at, held.epoch, held.dead,
          greatest(r.last_token, held.floor) AS floor
        FROM ${s}.repository_states r WHERE r.repository_key = a.repository AND r.status = 'present' AND r.waiting = r.parked
          AND r.state = 'active' AND r.local_limit = a.proposal AND (a.slot_limit = 0 OR r.live < a.slot_limit) OFFSET 0) w
      WHERE held.is_alive AND a.repository = ANY (${locked}) AND (a.valid_until = 0 OR w.now <= a.valid_until) AND ${quiet}
        AND (SELECT o.phase FROM ${s}.concurrency_slots o WHERE o.repository_key = a.repository AND o.pipeline_run_key = a.run) IS NULL),
    numbered AS MATERIALIZED (
      SELECT b.*, CASE
          WHEN b.slot_limit = 0 THEN 0
          WHEN b.word <> -1 THEN round(ln(~b.word & (b.word + 1)) / ln(2)) + 1
          ELSE (SELECT u.at * 32 - 31 + round(ln(~u.word & (u.word + 1)) / ln(2)) FROM (
            SELECT n.word::bigint, n.at FROM unnest(b.numbers || 0) WITH ORDINALITY AS n(word, at)) u
            WHERE u.word <> -1 ORDER BY u.at LIMIT 1) END::integer AS number
      FROM before b),
    taken AS MATERIALIZED (
      SELECT n.*, CASE WHEN n.number = 0 THEN n.numbers ELSE n.numbers[:(n.number - 1) / 32]
          || (coalesce(n.numbers[(n.number - 1) / 32 + 1], 0) | (1 << ((n.number - 1) % 32))) || n.numbers[(n.number - 1) / 32 + 2:] END AS numbers_after
      FROM numbered n),
    counted AS (
      UPDATE ${s}.repository_states r SET live = n.live + 1, last_sequence = n.last_sequence + 1, last_token = n.floor + 1,
        numbers = n.numbers_after, committed_at = n.now
      FROM taken n WHERE r.ctid = n.place),
    added AS (
      INSERT INTO ${s}.concurrency_slots (repository_key, pipeline_run_key, phase, state, holder, priority, sequence, due_at, token, number,
        run_uid, ticket, durable, meta, hold_until, max_hold_ms, claim_timeout_ms, lease_ttl_ms, parks, queued_at, acquired_at, started_at)
      SELECT n.repository, n.run, 'running', 'started', $2, n.priority, n.last_sequence + 1,
        CASE WHEN n.max_hold_ms > 0 THEN n.now + n.max_hold_ms END, n.floor + 1, n.number, n.run_uid, n.ticket, n.durable, n.meta,
        CASE WHEN n.max_hold_ms > 0 THEN n.now + n.max_hold_ms END, n.max_hold_ms, n.claim_timeout_ms, n.lease_ttl_ms, 0,
        n.wall, n.wall, n.wall
      FROM taken n)
    SELECT ${done} FROM taken n`,

    /** slots to be given back, their holder, how long records are kept. The same for many repositories, each once, that are locked. */
    giveBackManyAtOnce: `WITH ${clock}, ${gone},
    held AS MATERIALIZED (
      SELECT h.holder, h.expires_at, h.epoch, h.dead, clock.wall,
        greatest(f.token_floor, CASE WHEN clock.wall <= ${HIGHEST_WALL_FLOOR_MS} THEN (clock.wall * 1000)::bigint END) AS floor
      FROM clock CROSS JOIN ${s}.store f CROSS JOIN ${s}.holders h WHERE f.one AND h.holder = $2),
    before AS MATERIALIZED (
      SELECT a.*, w.*, o.slot_number AS number, o.slot_place, ${slot('o')}
      FROM held CROSS JOIN json_to_recordset($1::json) AS a(repository text, run text, token bigint, ticket text, ended_as text)
      CROSS JOIN LATERAL (
        SELECT ${repository}, r.ctid AS place, held.wall, greatest(held.wall, r.committed_at) AS now, held.holder, held.expires_at, held.epoch, held.dead, held.floor
        FROM ${s}.repository_states r WHERE r.repository_key = a.repository AND r.status = 'present' AND r.waiting = r.parked OFFSET 0) w
      CROSS JOIN LATERAL (
        SELECT o.ctid AS slot_place, ${RUN_COLUMNS.map((column) => `o.${column} AS slot_${column}`).join(', ')} FROM ${s}.concurrency_slots o
        WHERE o.repository_key = a.repository AND o.pipeline_run_key = a.run AND o.phase = 'running' AND o.token = a.token
          AND o.holder IS NOT DISTINCT FROM $2 FOR UPDATE SKIP LOCKED) o
      WHERE a.repository = ANY (${locked}) AND ${quiet}),
    numbered AS MATERIALIZED (
      SELECT b.*, CASE WHEN b.number = 0 THEN b.numbers ELSE b.numbers[:(b.number - 1) / 32]
        || (b.numbers[(b.number - 1) / 32 + 1] & ~(1 << ((b.number - 1) % 32))) || b.numbers[(b.number - 1) / 32 + 2:] END AS all_numbers
      FROM before b),
    given AS MATERIALIZED (
      SELECT n.*, CASE WHEN n.all_numbers[cardinality(n.all_numbers)] <> 0 THEN n.all_numbers
        ELSE n.all_numbers[:coalesce((SELECT max(u.at) FROM unnest(n.all_numbers) WITH ORDINALITY AS u(word, at)
          WHERE u.word <> 0), 1)::integer] END AS numbers_after
      FROM numbered n),
    counted AS (
      UPDATE ${s}.repository_states r SET live = r.live - 1, committed_at = n.now, numbers = n.numbers_after
      FROM given n WHERE r.ctid = n.place),
    ended AS (
      UPDATE ${s}.concurrency_slots o SET phase = 'record', holder = NULL, due_at = n.now + $3::double precision, hold_until = NULL,
        number = 0, ending = 'released', ended_by = n.ticket, ended_at = n.wall,
        state = CASE WHEN o.state IN ('completed', 'failed', 'cancelled', 'expired') THEN o.state ELSE n.ended_as END
      FROM given n WHERE o.ctid = n.slot_place)
    SELECT ${done}, ${slot('n')} FROM given n`,
  }
}
