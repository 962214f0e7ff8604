import { createHash } from 'node:crypto'
import { HIGHEST_WALL_FLOOR_MS } from './load-facts.ts'
import { REPOSITORY_COLUMNS, RUN_COLUMNS } from './rows.ts'
import { quoted } from './sql-names.ts'

/** A text that is sent, under a name by which a connection prepares it once. */
export interface Statement {
  readonly name: string
  readonly text: string
}

export type Statements = ReturnType<typeof statementsOf>

/**
 * Every statement of the driver, for one schema. Every name is qualified, and `settings` was said before each of them, so that neither a
 * `search_path` nor a planner setting of the role or the database changes what they mean or how they run.
 *
 * **Locks**, in this order, which is the same everywhere:
 * 1. `lockDomains`: an advisory lock of the transaction for each domain, sorted. All decisions of a domain follow one another by it.
 * 2. rows of runs: `load` locks overdue ones and skips those that somebody's transaction pins (`assertHeld`); `mustNotBePinned` locks what
 *    will change and fails at once over a pinned one. Neither ever waits.
 * 3. rows of holders, sorted: those who get a slot shared (`FOR KEY SHARE`, which lets heartbeats pass), those who lose one or die
 *    exclusively. Who is to die waits for the grants under way, and who is to get a slot for the deaths.
 * 4. what is written.
 *
 * **Clocks**: only the server's. `load` is a statement of its own after `lockDomains`, so that its snapshot and its clock are later than
 * every commit that held those locks.
 *
 * **Plans**: each is made once for all parameters, with sorts and scans of whole tables ruled out. What is read by an index says the order
 * of that index, so that no other one will do, whatever the planner knew of the tables at that moment.
 */
export function statementsOf(schema: string) {
  const s = quoted(schema)
  const run = (alias: string) => RUN_COLUMNS.map((column) => `${alias}.${column}`).join(', ')
  const excluded = (columns: readonly string[]) =>
    columns.map((column) => `${column} = excluded.${column}`).join(', ')

  /** Now, and the time from which on every holder has had its TTL to come back to a server that was down. */
  const clock = `clock AS MATERIALIZED (SELECT
    floor(extract(epoch FROM clock_timestamp()) * 1000)::double precision AS wall,
    floor(extract(epoch FROM pg_postmaster_start_time()) * 1000)::double precision AS up)`
  const expiry = (alias: string) => `greatest(${alias}.expires_at, clock.up + ${alias}.ttl_ms)`
  const gone = `gone AS MATERIALIZED (
    SELECT h.holder FROM ${s}.holders h WHERE h.dead
    UNION ALL
    SELECT h.holder FROM clock CROSS JOIN ${s}.holders h
    WHERE NOT h.dead AND h.expires_at <= clock.wall AND ${expiry('h')} <= clock.wall)`
  const holderJson = `json_build_object('holder', h.holder, 'expires_at', ${expiry('h')}, 'dead', h.dead, 'epoch', h.epoch)`
  const all = (rows: string, what = 'row_to_json(x)') => `(SELECT json_agg(${what}) FROM ${rows} x)`

  /** The domains that are locked. */
  const locked = `ARRAY(SELECT json_array_elements_text(current_setting('slotkeeper.locked')::json))`
  /** Nothing but the command itself is to be decided for the repository `r`, whose guard is `d`. */
  const quiet = `r.status = 'present' AND r.waiting = r.parked AND NOT coalesce(d.backlog, false)
        AND coalesce(d.watched_until, 0) <= greatest(clock.wall, r.committed_at)
        AND NOT EXISTS (SELECT 1 FROM ${s}.concurrency_slots o WHERE o.repository_key = r.repository_key AND o.due_at IS NOT NULL
          AND o.phase <> 'record' AND o.due_at <= greatest(clock.wall, r.committed_at))
        AND NOT EXISTS (SELECT 1 FROM gone JOIN ${s}.concurrency_slots o ON o.holder = gone.holder
          AND o.repository_key = r.repository_key)`

  /** Whether a sweep would find something. */
  const work = `(
    EXISTS (SELECT 1 FROM ${s}.concurrency_slots s WHERE s.due_at <= clock.wall AND s.due_at IS NOT NULL AND s.phase <> 'record')
    OR EXISTS (SELECT 1 FROM ${s}.holders h WHERE h.dead)
    OR EXISTS (SELECT 1 FROM ${s}.holders h WHERE NOT h.dead AND h.expires_at <= clock.wall AND ${expiry('h')} <= clock.wall)
    OR EXISTS (SELECT 1 FROM ${s}.domains d WHERE d.backlog AND d.swept_until <= clock.wall)
    OR EXISTS (SELECT 1 FROM ${s}.concurrency_slots s WHERE s.phase = 'record' AND s.due_at <= clock.wall)
    OR EXISTS (SELECT 1 FROM ${s}.repository_states r WHERE r.due_at IS NOT NULL AND r.due_at <= clock.wall))`

  const texts = {
    begin: 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
    commit: 'COMMIT',
    rollback: 'ROLLBACK',
    /** The server's process: another one than the connection was told of where a pooler is in between. */
    whoServes: 'SELECT pg_catalog.pg_backend_pid()',
    /**
     * lock timeout, timeout between two statements of a transaction, both in ms; whether for the transaction only. Before every transaction
     * on a connection that others use too, once on one of our own.
     */
    settings: `SELECT pg_catalog.set_config(s.name, s.value, $3::boolean) FROM (VALUES ('search_path', 'pg_catalog'), ('lock_timeout', $1),
      ('idle_in_transaction_session_timeout', $2), ('plan_cache_mode', 'force_generic_plan'), ('enable_seqscan', 'off'),
      ('enable_sort', 'off'), ('enable_bitmapscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('jit', 'off'),
      ('extra_float_digits', '1')) AS s(name, value)`,

    /** What this server and this store are. Fails where there is no store. */
    about: `SELECT layout, current_setting('server_version'), current_setting('server_version_num'), pg_is_in_recovery(),
      current_setting('server_encoding'), pg_backend_pid() FROM ${s}.store`,

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
      FROM asked a CROSS JOIN clock JOIN ${s}.repository_states r ON r.repository_key = a.domain),
    named AS MATERIALIZED (
      SELECT ${run('s')} FROM json_to_recordset($2::json) AS n(repository text, run text)
      JOIN ${s}.concurrency_slots s ON s.repository_key = n.repository AND s.pipeline_run_key = n.run),
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
      'guards', (SELECT json_agg(row_to_json(d)) FROM asked a JOIN ${s}.domains d ON d.domain = a.domain),
      'named', ${all('named')}, 'due', ${all('due')}, 'abandoned', ${all('abandoned')},
      'removing', ${all('removing')}, 'heads', ${all('heads')},
      'holders', (SELECT json_agg(${holderJson}) FROM known k JOIN ${s}.holders h ON h.holder = k.holder))
    FROM clock`,

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

    /** runs that hold a slot and will change. Fails at once (55P03) when one is pinned. */
    mustNotBePinned: `SELECT count(*) FROM (
      SELECT 1 FROM json_to_recordset($1::json) AS n(repository text, run text)
      JOIN ${s}.concurrency_slots s ON s.repository_key = n.repository AND s.pipeline_run_key = n.run FOR UPDATE OF s NOWAIT) l`,
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
    bump: `UPDATE ${s}.holders h SET epoch = h.epoch + b.times::integer FROM (
      SELECT k.holder, count(*) AS times FROM json_array_elements_text($1::json) AS k(holder) GROUP BY k.holder) b WHERE h.holder = b.holder`,
    /** rows */
    saveRuns: `INSERT INTO ${s}.concurrency_slots (${RUN_COLUMNS.join(', ')})
      SELECT ${run('n')} FROM json_populate_recordset(NULL::${s}.concurrency_slots, $1::json) n
      ON CONFLICT (repository_key, pipeline_run_key) DO UPDATE SET ${excluded(RUN_COLUMNS.slice(2))}`,
    /** runs */
    dropRuns: `DELETE FROM ${s}.concurrency_slots s USING json_to_recordset($1::json) AS n(repository text, run text)
      WHERE s.repository_key = n.repository AND s.pipeline_run_key = n.run`,
    /** rows */
    saveRepositories: `INSERT INTO ${s}.repository_states (${REPOSITORY_COLUMNS.join(', ')})
      SELECT ${REPOSITORY_COLUMNS.map((column) => `n.${column}`).join(', ')}
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
    /** channel, payloads */
    notify: `SELECT count(pg_notify($1, p.payload)) FROM json_array_elements_text($2::json) AS p(payload)`,

    /** holder, ttl */
    openHolder: `WITH ${clock} INSERT INTO ${s}.holders (holder, ttl_ms, expires_at)
      SELECT $1, $2::double precision, clock.wall + $2::double precision FROM clock
      RETURNING (SELECT wall FROM clock), ttl_ms, epoch, (SELECT ${work} FROM clock)`,
    /** holder. Answers no row for one that is dead, overdue or unknown. */
    heartbeat: `WITH ${clock} UPDATE ${s}.holders h SET expires_at = clock.wall + h.ttl_ms FROM clock
      WHERE h.holder = $1 AND NOT h.dead AND ${expiry('h')} > clock.wall
      RETURNING clock.wall, h.ttl_ms, h.epoch, (SELECT ${work} FROM clock)`,
    /** holder. Waits for the grants to it that are under way. */
    lockHolder: `SELECT 1 FROM ${s}.holders WHERE holder = $1 FOR UPDATE`,
    /** holder */
    closeHolder: `UPDATE ${s}.holders SET dead = true WHERE holder = $1 AND NOT dead`,

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
        UNION SELECT repository_key FROM removed) k JOIN ${s}.repository_states r ON r.repository_key = k.repository_key
      UNION
      SELECT d.domain FROM clock CROSS JOIN LATERAL (
        SELECT d.domain FROM ${s}.domains d WHERE d.backlog AND d.swept_until <= clock.wall ORDER BY d.swept_until LIMIT 1000) d),
    free AS MATERIALIZED (
      SELECT f.domain FROM clock CROSS JOIN found f LEFT JOIN ${s}.domains d ON d.domain = f.domain
      WHERE coalesce(d.swept_until, 0) <= clock.wall ORDER BY f.domain LIMIT $1::bigint)
    INSERT INTO ${s}.domains AS d (domain, watched_until, backlog, swept_until)
      SELECT free.domain, 0, false, clock.wall + $2::double precision FROM free CROSS JOIN clock
      ON CONFLICT (domain) DO UPDATE SET swept_until = excluded.swept_until WHERE d.swept_until < excluded.swept_until - $2::double precision
      RETURNING domain`,
    /** limit. Records whose time is over; one that a decision is just using is left. */
    forgetRecords: `WITH ${clock}, old AS MATERIALIZED (
      SELECT s.repository_key, s.pipeline_run_key FROM clock CROSS JOIN LATERAL (
        SELECT s.repository_key, s.pipeline_run_key FROM ${s}.concurrency_slots s
        WHERE s.phase = 'record' AND s.due_at <= clock.wall ORDER BY s.due_at LIMIT $1::bigint FOR UPDATE SKIP LOCKED) s)
    DELETE FROM ${s}.concurrency_slots s USING old
      WHERE s.repository_key = old.repository_key AND s.pipeline_run_key = old.pipeline_run_key
      RETURNING 1`,
    /** limit. Holders who are overdue die; a transaction of its own, so that it waits for grants with nothing else locked. */
    buryOverdue: `WITH ${clock}, late AS MATERIALIZED (
      SELECT h.holder FROM clock CROSS JOIN LATERAL (
        SELECT h.holder FROM ${s}.holders h WHERE NOT h.dead AND h.expires_at <= clock.wall AND ${expiry('h')} <= clock.wall
        ORDER BY h.expires_at LIMIT $1::bigint FOR UPDATE SKIP LOCKED) h)
    UPDATE ${s}.holders h SET dead = true FROM late WHERE h.holder = late.holder RETURNING 1`,
    /** limit. Dead holders that no row names. */
    forgetHolders: `WITH old AS MATERIALIZED (
      SELECT h.holder FROM ${s}.holders h WHERE h.dead
        AND NOT EXISTS (SELECT 1 FROM ${s}.concurrency_slots s WHERE s.holder = h.holder)
      ORDER BY h.holder LIMIT $1::bigint FOR UPDATE SKIP LOCKED)
    DELETE FROM ${s}.holders h USING old WHERE h.holder = old.holder RETURNING 1`,

    /** runs */
    readRuns: `WITH ${clock},
    asked AS MATERIALIZED (SELECT n.repository, n.run FROM json_to_recordset($1::json) AS n(repository text, run text)),
    runs AS MATERIALIZED (
      SELECT ${run('s')} FROM asked a JOIN ${s}.concurrency_slots s ON s.repository_key = a.repository AND s.pipeline_run_key = a.run)
    ${snapshot('(SELECT DISTINCT repository AS key FROM asked)')}`,
    /** holder */
    readHolder: `WITH ${clock},
    runs AS MATERIALIZED (SELECT ${run('s')} FROM ${s}.concurrency_slots s WHERE s.holder = $1)
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
          AND s.due_at IS NULL AND s.priority > a.priority LIMIT $5::bigint) b)
        + (SELECT count(*) FROM (SELECT 1 FROM ${s}.concurrency_slots s WHERE s.repository_key = $1 AND s.phase = 'waiting'
          AND s.due_at IS NULL AND s.priority = a.priority AND s.sequence < a.sequence LIMIT $5::bigint) b) AS entries
      FROM asked a WHERE a.phase = 'waiting'),
    runs AS MATERIALIZED (
      SELECT * FROM kept UNION ALL SELECT * FROM running UNION ALL SELECT * FROM heads UNION ALL SELECT * FROM parked
      UNION ALL SELECT * FROM asked)
    ${snapshot('(SELECT $1::text AS key)', `, 'before', (SELECT entries FROM before), 'asked', ${all('asked')}`)}`,
  }

  /** What was read of one moment, with the repositories of `keys` and the holders of `runs`. */
  function snapshot(keys: string, more = ''): string {
    return `SELECT json_build_object('wall', clock.wall,
      'repositories', (SELECT json_agg(row_to_json(r)) FROM ${keys} k JOIN ${s}.repository_states r ON r.repository_key = k.key),
      'runs', ${all('runs')},
      'holders', (SELECT json_agg(${holderJson}) FROM (SELECT DISTINCT holder FROM runs) k JOIN ${s}.holders h ON h.holder = k.holder)
      ${more}) FROM clock`
  }

  return named(texts)
}

/** The name holds a digest of the text: behind a pooler, a connection may have been prepared by another release. */
function named<T extends Readonly<Record<string, string>>>(texts: T): { readonly [K in keyof T]: Statement } {
  const entries = Object.entries(texts).map(([name, text]) => {
    const digest = createHash('sha256').update(text).digest('hex').slice(0, 12)
    return [name, { name: `slotkeeper_${name}_${digest}`, text }]
  })
  return Object.fromEntries(entries)
}
