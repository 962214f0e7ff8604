import { HIGHEST_WALL_FLOOR_MS } from './load-facts.ts'

/**
 * The functions of the store that decide one command at once, as `takeManyAtOnce` and `giveBackManyAtOnce` of `statements/at-once.ts` do
 * many: by small statements, since to set up a large one costs more than all that it does for one row. NULL: the command was left alone.
 * They run after `settings`, with the rights of whoever calls them.
 *
 * What they read has a snapshot and a clock that are later than the lock. A holder who is alive only because the server was down, and what
 * such a one has in a repository, is left to the long way.
 */
export function atOnceFunctions(s: string): string {
  const lock = `IF NOT pg_try_advisory_xact_lock(hashtextextended(asked_repository, lock_seed)) THEN RETURN NULL; END IF;
  wall_ms := floor(extract(epoch FROM clock_timestamp()) * 1000);`
  /** Nothing but the command itself is to be decided for the repository `r`, but for what the dead have in it. */
  const quiet = `r.repository_key = asked_repository AND r.status = 'present' AND r.waiting = r.parked
      AND (SELECT d.backlog OR d.watched_until > greatest(wall_ms, r.committed_at) FROM ${s}.domains d
        WHERE d.domain = asked_repository) IS NOT TRUE
      AND ((SELECT o.due_at FROM ${s}.concurrency_slots o WHERE o.repository_key = asked_repository AND o.due_at IS NOT NULL
        AND o.phase <> 'record' ORDER BY o.due_at LIMIT 1) <= greatest(wall_ms, r.committed_at)) IS NOT TRUE`
  const someAreDead = `((SELECT g.expires_at FROM ${s}.holders g WHERE g.dead ORDER BY g.expires_at LIMIT 1) IS NOT NULL
      OR (SELECT g.expires_at FROM ${s}.holders g WHERE NOT g.dead ORDER BY g.expires_at LIMIT 1) <= wall_ms)`
  const leaveToTheDead = `IF was.some_are_dead THEN
    PERFORM 1 FROM (
        (SELECT g.holder FROM ${s}.holders g WHERE g.dead ORDER BY g.expires_at)
        UNION ALL (SELECT g.holder FROM ${s}.holders g WHERE NOT g.dead AND g.expires_at <= wall_ms ORDER BY g.expires_at)) g
      CROSS JOIN LATERAL (
        SELECT 1 FROM ${s}.concurrency_slots o WHERE o.holder = g.holder AND o.repository_key = asked_repository
        ORDER BY o.phase LIMIT 1) o;
    IF FOUND THEN RETURN NULL; END IF;
  END IF;`

  return `
CREATE FUNCTION ${s}.take_at_once(lock_seed bigint, for_holder text, asked_repository text, run text, proposal text, slot_limit integer,
  valid_until double precision, run_uid text, ticket text, durable boolean, priority double precision, meta text,
  max_hold_ms double precision, claim_timeout_ms double precision, lease_ttl_ms double precision) RETURNS json
LANGUAGE plpgsql AS $function$
DECLARE
  wall_ms double precision;
  was record;
  numbers_after integer[];
  word integer := 1;
  free bigint;                -- the lowest bit of the word that is not set
  slot_number integer := 0;
  until double precision;
BEGIN
  ${lock}
  SELECT r.*, wall_ms AS wall, greatest(wall_ms, r.committed_at) AS now, h.holder, h.expires_at, h.epoch, h.dead,
      NOT h.dead AND h.expires_at > wall_ms AS is_alive,
      greatest(r.last_token, f.token_floor, CASE WHEN wall_ms <= ${HIGHEST_WALL_FLOOR_MS} THEN (wall_ms * 1000)::bigint END) AS floor,
      ${someAreDead} AS some_are_dead
    INTO was
    FROM ${s}.holders h CROSS JOIN ${s}.store f CROSS JOIN ${s}.repository_states r
    WHERE h.holder = for_holder AND f.one AND ${quiet}
      AND r.state = 'active' AND r.local_limit = proposal AND (slot_limit = 0 OR r.live < slot_limit)
      AND (valid_until = 0 OR greatest(wall_ms, r.committed_at) <= valid_until)
    FOR KEY SHARE OF h;
  IF NOT FOUND OR NOT was.is_alive THEN RETURN NULL; END IF;
  ${leaveToTheDead}
  numbers_after := was.numbers;
  IF slot_limit > 0 THEN
    WHILE numbers_after[word] = -1 LOOP word := word + 1; END LOOP;
    free := coalesce(numbers_after[word], 0);
    free := ~free & (free + 1);
    slot_number := word * 32 - 31 + round(ln(free) / ln(2));
    numbers_after[word] := coalesce(numbers_after[word], 0) | (1 << ((slot_number - 1) % 32));
  END IF;
  IF max_hold_ms > 0 THEN until := was.now + max_hold_ms; END IF;
  INSERT INTO ${s}.concurrency_slots (repository_key, pipeline_run_key, phase, state, holder, priority, sequence, due_at, token, number,
      run_uid, ticket, durable, meta, hold_until, max_hold_ms, claim_timeout_ms, lease_ttl_ms, parks, queued_at, acquired_at, started_at)
    VALUES (asked_repository, run, 'running', 'started', for_holder, priority, was.last_sequence + 1, until, was.floor + 1, slot_number,
      run_uid, ticket, durable, meta, until, max_hold_ms, claim_timeout_ms, lease_ttl_ms, 0, wall_ms, wall_ms, wall_ms)
    ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN NULL; END IF;
  UPDATE ${s}.repository_states r SET live = r.live + 1, last_sequence = r.last_sequence + 1, last_token = was.floor + 1,
      numbers = numbers_after, committed_at = was.now
    WHERE r.repository_key = asked_repository;
  RETURN json_build_array(was, slot_number, numbers_after);
END
$function$;

CREATE FUNCTION ${s}.give_back_at_once(lock_seed bigint, by_holder text, asked_repository text, run text, asked_token bigint,
  by_ticket text, ended_as text, record_ttl_ms double precision) RETURNS json
LANGUAGE plpgsql AS $function$
DECLARE
  wall_ms double precision;
  was record;
  numbers_after integer[];
  word integer;
BEGIN
  ${lock}
  SELECT r.*, wall_ms AS wall, greatest(wall_ms, r.committed_at) AS now, h.holder, h.expires_at, h.epoch, h.dead,
      greatest(f.token_floor, CASE WHEN wall_ms <= ${HIGHEST_WALL_FLOOR_MS} THEN (wall_ms * 1000)::bigint END) AS floor,
      row_to_json(o) AS run, o.number, ${someAreDead} AS some_are_dead
    INTO was
    FROM ${s}.holders h CROSS JOIN ${s}.store f CROSS JOIN ${s}.repository_states r CROSS JOIN ${s}.concurrency_slots o
    WHERE h.holder = by_holder AND f.one AND ${quiet}
      AND o.repository_key = asked_repository AND o.pipeline_run_key = run
      AND o.phase = 'running' AND o.token = asked_token AND o.holder IS NOT DISTINCT FROM by_holder
    FOR UPDATE OF o SKIP LOCKED;
  IF NOT FOUND THEN RETURN NULL; END IF;
  ${leaveToTheDead}
  numbers_after := was.numbers;
  IF was.number > 0 THEN
    word := (was.number - 1) / 32 + 1;
    numbers_after[word] := numbers_after[word] & ~(1 << ((was.number - 1) % 32));
    word := cardinality(numbers_after);
    WHILE word > 1 AND numbers_after[word] = 0 LOOP word := word - 1; END LOOP;
    numbers_after := numbers_after[:word];
  END IF;
  UPDATE ${s}.concurrency_slots o SET phase = 'record', holder = NULL, due_at = was.now + record_ttl_ms, hold_until = NULL,
      number = 0, ending = 'released', ended_by = by_ticket, ended_at = wall_ms,
      state = CASE WHEN o.state IN ('completed', 'failed', 'cancelled', 'expired') THEN o.state ELSE ended_as END
    WHERE o.repository_key = asked_repository AND o.pipeline_run_key = run;
  UPDATE ${s}.repository_states r SET live = r.live - 1, numbers = numbers_after, committed_at = was.now
    WHERE r.repository_key = asked_repository;
  RETURN json_build_array(was, was.number, numbers_after);
END
$function$;
`
}
