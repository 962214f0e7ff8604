import type { MigrationFile } from '@slotkeeper/migrations'
import { quoted } from './sql-names.ts'

/** The layout that this release works on: the number of the last file below. A store with a higher one belongs to a newer release. */
export const LAYOUT = 1

/**
 * The layout as migrations, for `schema`. Rows are those of `@slotkeeper/core/driver`. Keys compare byte by byte (`COLLATE "C"`). Times
 * are ms: `due_at`, `hold_until`, `expires_at`, `…_until` and `committed_at` store time, the others wall time. Files that a release has
 * applied are never edited: a change is another file, and another LAYOUT.
 *
 * Nothing that the commonest commits change in `repository_states` is indexed, and pages are left half empty, so that its hot rows are
 * changed within their page. Dead versions are cleared away early, since every read of a hot row walks over them.
 */
export function migrationsOf(schema: string): readonly MigrationFile[] {
  return [{ path: 'slotkeeper/001_slots.sql', content: slots(quoted(schema)) }]
}

function slots(s: string): string {
  return `
CREATE TABLE ${s}.store (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  layout integer NOT NULL,       -- the number of the last of these files
  token_floor bigint NOT NULL,   -- the highest token of any repository that was removed
  polled_until double precision NOT NULL DEFAULT 0,  -- until then somebody looks into hints
  served_by timestamptz NOT NULL DEFAULT pg_postmaster_start_time(),  -- when the server that serves the store was started
  served_since double precision NOT NULL DEFAULT 0   -- when that was noticed first
);
COMMENT ON TABLE ${s}.store IS 'Slotkeeper: one row about the store itself';
INSERT INTO ${s}.store (layout, token_floor) VALUES (1, 0);

CREATE TABLE ${s}.holders (
  holder text COLLATE "C" PRIMARY KEY,
  ttl_ms double precision NOT NULL,
  expires_at double precision NOT NULL,
  dead boolean NOT NULL DEFAULT false,
  epoch integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE ${s}.holders IS 'Slotkeeper: who claims to be alive, one row a Manager';
CREATE INDEX holders_expiry ON ${s}.holders (expires_at) WHERE NOT dead;
CREATE INDEX holders_dead ON ${s}.holders (expires_at) WHERE dead;

CREATE TABLE ${s}.domains (
  domain text COLLATE "C" PRIMARY KEY,
  watched_until double precision NOT NULL,
  backlog boolean NOT NULL,
  swept_until double precision NOT NULL   -- somebody takes care of it until then
) WITH (fillfactor = 70);
COMMENT ON TABLE ${s}.domains IS 'Slotkeeper: domains that are watched or have work left over; most have no row';
CREATE INDEX domains_backlog ON ${s}.domains (swept_until) WHERE backlog;

CREATE TABLE ${s}.repository_states (
  repository_key text COLLATE "C" PRIMARY KEY,
  domain text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  local_limit text,              -- JSON: what the repository itself says of its limit
  global_limit text,             -- JSON: what a global one says
  removed_uids text NOT NULL,    -- JSON
  last_token bigint NOT NULL,
  last_sequence bigint NOT NULL,
  live integer NOT NULL,
  reserved integer NOT NULL,
  orphaned integer NOT NULL,
  waiting integer NOT NULL,
  parked integer NOT NULL,
  numbers integer[] NOT NULL,    -- slot numbers in use, a bitmap
  last_number integer NOT NULL DEFAULT 0,          -- the one given last by a statement that changes the bitmap itself
  due_at double precision,
  committed_at double precision NOT NULL,  -- store time of the last commit of its domain
  quiet_until double precision NOT NULL DEFAULT 0,  -- store time until which nothing of its domain is due and nobody watches it
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE ${s}.repository_states IS 'Slotkeeper: repositories, with their limits and counts';
CREATE INDEX repository_states_due ON ${s}.repository_states (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE ${s}.concurrency_slots (
  repository_key text COLLATE "C" NOT NULL,
  pipeline_run_key text COLLATE "C" NOT NULL,
  phase text COLLATE "C" NOT NULL,  -- waiting, reserved, running, orphaned; record: neither waits nor holds any more
  state text COLLATE "C",           -- of the run: queued, started, completed, failed, cancelled, expired
  holder text COLLATE "C",
  priority double precision NOT NULL,
  sequence bigint NOT NULL,
  due_at double precision,
  token bigint NOT NULL,
  number integer NOT NULL,
  run_uid text COLLATE "C",
  ticket text COLLATE "C" NOT NULL,
  granted_to text COLLATE "C",
  durable boolean NOT NULL,
  meta text,                        -- JSON
  hold_until double precision,
  max_hold_ms double precision NOT NULL,
  claim_timeout_ms double precision NOT NULL,
  lease_ttl_ms double precision NOT NULL,
  parks integer NOT NULL,
  queued_at double precision,
  acquired_at double precision,
  started_at double precision,
  ended_at double precision,
  ending text COLLATE "C",
  ended_by text COLLATE "C",
  successor text COLLATE "C",
  PRIMARY KEY (repository_key, pipeline_run_key)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_analyze_scale_factor = 0.02);
COMMENT ON TABLE ${s}.concurrency_slots IS 'Slotkeeper: runs that wait, hold a slot or did, one row each';
CREATE INDEX concurrency_slots_queue ON ${s}.concurrency_slots (repository_key, priority DESC, sequence)
  WHERE phase = 'waiting' AND due_at IS NULL;
CREATE INDEX concurrency_slots_parked ON ${s}.concurrency_slots (repository_key, priority DESC, sequence)
  WHERE phase = 'waiting' AND due_at IS NOT NULL;
CREATE INDEX concurrency_slots_holder ON ${s}.concurrency_slots (holder, repository_key, phase) WHERE holder IS NOT NULL;
CREATE INDEX concurrency_slots_due ON ${s}.concurrency_slots (repository_key, due_at)
  WHERE due_at IS NOT NULL AND phase <> 'record';
CREATE INDEX concurrency_slots_any_due ON ${s}.concurrency_slots (due_at) WHERE due_at IS NOT NULL AND phase <> 'record';
CREATE INDEX concurrency_slots_records ON ${s}.concurrency_slots (due_at) WHERE phase = 'record';

CREATE VIEW ${s}.pipeline_run_states AS
  SELECT repository_key, pipeline_run_key, state,
    to_timestamp(queued_at / 1000) AS created_at,
    to_timestamp(greatest(queued_at, acquired_at, started_at, ended_at) / 1000) AS updated_at
  FROM ${s}.concurrency_slots WHERE state IS NOT NULL;
COMMENT ON VIEW ${s}.pipeline_run_states IS 'Slotkeeper: where every run is in its attempt; read only';

-- Locks the row of a held slot until the caller's transaction ends, and fails unless it is held with that token. Runs with the rights of
-- its owner, so that whoever may call it needs no other right here. The row is looked at by the statement that locks it; the holder by one
-- that comes later, since its heartbeats go on meanwhile.
CREATE FUNCTION ${s}.assert_held(repository_key text, pipeline_run_key text, token bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  found_holder text;
  now_ms double precision;
BEGIN
  SELECT s.holder INTO found_holder FROM ${s}.concurrency_slots s
    WHERE s.repository_key = assert_held.repository_key AND s.pipeline_run_key = assert_held.pipeline_run_key
      AND s.phase = 'running' AND s.token = assert_held.token FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the slot is not held with this token any more' USING ERRCODE = 'SK001';
  END IF;
  now_ms := extract(epoch FROM clock_timestamp()) * 1000;
  PERFORM 1 FROM ${s}.holders h CROSS JOIN ${s}.store f WHERE h.holder = found_holder AND NOT h.dead AND f.one
    AND (h.expires_at > now_ms OR f.served_by <> pg_postmaster_start_time() OR f.served_since + h.ttl_ms > now_ms);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the holder of the slot is dead or overdue' USING ERRCODE = 'SK002';
  END IF;
END
$function$;
REVOKE ALL ON FUNCTION ${s}.assert_held(text, text, bigint) FROM PUBLIC;

CREATE TABLE ${s}.hints (
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
  at double precision NOT NULL,
  payload text NOT NULL             -- what a notification would say
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE ${s}.hints IS 'Slotkeeper: what was told in the last minute, for those whom notifications do not reach';
CREATE INDEX hints_transaction ON ${s}.hints (transaction);
CREATE INDEX hints_at ON ${s}.hints (at);

CREATE TABLE ${s}.slot_events (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- tells which positions can still be joined by lower ones
  at double precision NOT NULL,
  kind text COLLATE "C" NOT NULL,
  repository_key text COLLATE "C" NOT NULL,
  pipeline_run_key text COLLATE "C",
  holder text COLLATE "C",
  ticket text COLLATE "C",
  phase text COLLATE "C",
  token bigint,
  number integer,
  detail text                       -- JSON
);
COMMENT ON TABLE ${s}.slot_events IS 'Slotkeeper: what happened, in the order of positions; written where the history option is on';
`
}
