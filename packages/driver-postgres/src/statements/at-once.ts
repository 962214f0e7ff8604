import { HIGHEST_WALL_FLOOR_MS } from '../load-facts.ts'
import type { Fragments } from './fragments.ts'

/** What is said of a slot that is asked for, in this order. */
const TAKE = {
  repository: 'text',
  run: 'text',
  proposal: 'text',
  slot_limit: 'integer',
  valid_until: 'double precision',
  run_uid: 'text',
  ticket: 'text',
  durable: 'boolean',
  priority: 'double precision',
  meta: 'text',
  max_hold_ms: 'double precision',
  claim_timeout_ms: 'double precision',
  lease_ttl_ms: 'double precision',
} as const

/** What is said of a slot that is given back, in this order. */
const GIVE_BACK = {
  repository: 'text',
  run: 'text',
  token: 'bigint',
  ticket: 'text',
  ended_as: 'text',
  record_ttl_ms: 'double precision',
} as const

/** What both answer for every command that they have decided: which one it is, times, the repository as it is now. */
const DONE = [
  ...[
    'at',
    'wall',
    'now',
    'last_token',
    'last_sequence',
    'live',
    'reserved',
    'orphaned',
    'waiting',
    'numbers',
  ],
  ...['global_limit', 'removed_uids', 'number'],
] as const
/** And the holder, where a slot is taken. */
export const TAKEN = [...DONE, 'expires_at', 'epoch'] as const
/** And what a command does not say of the repository and of the slot as it was, where one is given back. */
export const GIVEN = [
  ...DONE,
  ...[
    'floor',
    'repository_state',
    'local_limit',
    'state',
    'priority',
    'sequence',
    'run_uid',
    'slot_ticket',
    'granted_to',
    'durable',
  ],
  ...[
    'meta',
    'hold_until',
    'max_hold_ms',
    'claim_timeout_ms',
    'lease_ttl_ms',
    'parks',
    'queued_at',
    'acquired_at',
    'started_at',
  ],
] as const

/**
 * Decides what is simple where the rows are, each command of another repository, for one holder. Each is written once, for one command as
 * its parameters and for many as arrays of them.
 *
 * Whatever has to be so for that stands in the repository's own row, which every commit of its domain changes (`quiet_until`: nothing is due
 * until then, and nobody watches). So although the tables are seen as they were a moment before the domain was locked, without waiting, it
 * is the newest row that decides: an UPDATE looks at it again. A run that came meanwhile is a duplicate key, and then all of it takes the
 * long way.
 * Rows of the dead are left to whoever sweeps, a holder who is alive only because the server was down and slots beyond the 31st to the long way.
 */
export function atOnceStatements({ s }: Fragments) {
  const wall = `(SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::double precision AS wall OFFSET 0) t`
  const floor = `greatest(f.token_floor, CASE WHEN t.wall <= ${HIGHEST_WALL_FLOOR_MS} THEN (t.wall * 1000)::bigint END) AS floor`
  const repository = `r.last_token, r.last_sequence, r.live, r.reserved, r.orphaned, r.waiting, r.numbers, r.global_limit, r.removed_uids`
  const holder = (lock: string) =>
    `(SELECT h.expires_at, h.epoch, h.dead FROM ${s}.holders h WHERE h.holder = $2 OFFSET 0 ${lock}) h`
  const lock = `pg_try_advisory_xact_lock(hashtextextended(a.repository, $1::bigint))`
  const now = `greatest(n.wall, r.committed_at)`
  const quiet = `r.status = 'present' AND r.waiting = r.parked AND r.quiet_until > ${now}`
  /** The lowest number that is free, as a bit of the first word. */
  const free = `~r.numbers[1] & (r.numbers[1] + 1)`
  const until = `CASE WHEN n.max_hold_ms > 0 THEN n.now + n.max_hold_ms END`

  const take = ({ asked, key }: Form) => `WITH
    held AS MATERIALIZED (
      SELECT h.expires_at, h.epoch, t.wall, ${floor} FROM ${wall} CROSS JOIN ${s}.store f CROSS JOIN ${holder('FOR KEY SHARE')}
      WHERE f.one AND NOT h.dead AND h.expires_at > t.wall),
    taken AS (
      UPDATE ${s}.repository_states r SET live = r.live + 1, last_sequence = r.last_sequence + 1,
        last_token = greatest(r.last_token, n.floor) + 1,
        last_number = CASE WHEN a.slot_limit = 0 THEN 0 ELSE round(ln(${free}) / ln(2)) + 1 END,
        numbers[1] = r.numbers[1] | CASE WHEN a.slot_limit = 0 THEN 0 ELSE ${free} END,
        quiet_until = CASE WHEN a.max_hold_ms > 0 THEN least(r.quiet_until, ${now} + a.max_hold_ms) ELSE r.quiet_until END,
        committed_at = ${now}
      FROM held n CROSS JOIN ${asked(TAKE)} WHERE ${key(`${s}.repository_states`, 'a')} AND ${lock} AND ${quiet}
        AND r.state = 'active' AND r.local_limit = a.proposal
        AND (a.slot_limit = 0 OR r.live < a.slot_limit AND r.numbers[1] NOT IN (-1, 2147483647))
        AND (a.valid_until = 0 OR ${now} <= a.valid_until)
        AND (SELECT o.phase FROM ${s}.concurrency_slots o WHERE o.repository_key = a.repository AND o.pipeline_run_key = a.run) IS NULL
      RETURNING a.*, n.wall, r.committed_at AS now, ${repository}, r.last_number AS number, n.expires_at, n.epoch),
    added AS (
      INSERT INTO ${s}.concurrency_slots (repository_key, pipeline_run_key, phase, state, holder, priority, sequence, due_at, token, number,
        run_uid, ticket, durable, meta, hold_until, max_hold_ms, claim_timeout_ms, lease_ttl_ms, parks, queued_at, acquired_at, started_at)
      SELECT n.repository, n.run, 'running', 'started', $2, n.priority, n.last_sequence, ${until}, n.last_token, n.number, n.run_uid,
        n.ticket, n.durable, n.meta, ${until}, n.max_hold_ms, n.claim_timeout_ms, n.lease_ttl_ms, 0, n.wall, n.wall, n.wall
      FROM taken n)
    SELECT ${TAKEN.map((column) => `n.${column}`).join(', ')} FROM taken n`

  const giveBack = ({ asked, key }: Form) => `WITH
    found AS MATERIALIZED (
      SELECT a.*, t.wall, ${floor}, o.* FROM ${wall} CROSS JOIN ${s}.store f CROSS JOIN ${holder('')}
      CROSS JOIN (SELECT * FROM ${asked(GIVE_BACK)} WHERE ${lock} OFFSET 0) a CROSS JOIN LATERAL (
        SELECT o.ctid AS place, o.number, o.state, o.priority, o.sequence, o.run_uid, o.ticket AS slot_ticket, o.granted_to, o.durable,
          o.meta, o.hold_until, o.max_hold_ms, o.claim_timeout_ms, o.lease_ttl_ms, o.parks, o.queued_at, o.acquired_at, o.started_at
        FROM ${s}.concurrency_slots o
        WHERE o.repository_key = a.repository AND o.pipeline_run_key = a.run AND o.phase = 'running' AND o.token = a.token
          AND o.holder = $2 AND o.number < 32 FOR UPDATE SKIP LOCKED) o
      WHERE f.one AND NOT h.dead AND h.expires_at > t.wall),
    given AS (
      UPDATE ${s}.repository_states r SET live = r.live - 1, committed_at = ${now},
        numbers[1] = r.numbers[1] & ~CASE WHEN n.number = 0 THEN 0 ELSE 1 << (n.number - 1) END
      FROM found n WHERE ${key(`${s}.repository_states`, 'n')} AND ${quiet}
      RETURNING n.*, r.committed_at AS now, ${repository}, r.state AS repository_state, r.local_limit),
    ended AS (
      UPDATE ${s}.concurrency_slots o SET phase = 'record', holder = NULL, due_at = n.now + n.record_ttl_ms, hold_until = NULL,
        number = 0, ending = 'released', ended_by = n.ticket, ended_at = n.wall,
        state = CASE WHEN o.state IN ('completed', 'failed', 'cancelled', 'expired') THEN o.state ELSE n.ended_as END
      FROM given n WHERE o.ctid = n.place)
    SELECT ${GIVEN.map((column) => `n.${column}`).join(', ')} FROM given n`

  return {
    /** seed, holder, what is asked for. Grants a slot where decide would do so and nothing else. */
    takeAtOnce: take(ONE),
    /** The same for many repositories, each once: arrays. */
    takeManyAtOnce: take(MANY),
    /** seed, holder, the slot. Ends it where decide would do so and nothing else. */
    giveBackAtOnce: giveBack(ONE),
    /** The same for many repositories, each once: arrays. */
    giveBackManyAtOnce: giveBack(MANY),
  }
}

type Columns = Readonly<Record<string, string>>

/** How a statement says what it is asked. */
interface Form {
  /** The commands, as rows. */
  asked(columns: Columns): string
  /** Which rows `r` of the table of repositories the commands `of` are about: always found from these to those. */
  key(table: string, of: string): string
}

const ONE: Form = {
  asked: (columns) => {
    const values = Object.entries(columns).map(([name, type], at) => `$${at + 3}::${type} AS ${name}`)
    return `(SELECT ${values.join(', ')}, 1 AS at) a`
  },
  key: () => 'r.repository_key = $3',
}

const MANY: Form = {
  asked: (columns) => {
    const arrays = Object.values(columns).map((type, at) => `$${at + 3}::${type}[]`)
    return `unnest(${arrays.join(', ')}) WITH ORDINALITY AS a(${Object.keys(columns).join(', ')}, at)`
  },
  key: (table, of) => `r.ctid = (SELECT k.ctid FROM ${table} k WHERE k.repository_key = ${of}.repository)`,
}
