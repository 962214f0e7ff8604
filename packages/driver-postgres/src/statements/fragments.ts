import { RUN_COLUMNS } from '../rows.ts'
import { quoted } from '../sql-names.ts'

/** What `fragmentsOf` gives: pieces of SQL that name one schema. */
export type Fragments = ReturnType<typeof fragmentsOf>

/** What several statements have in common, for one schema. */
export function fragmentsOf(schema: string) {
  const s = quoted(schema)
  const run = (alias: string) => RUN_COLUMNS.map((column) => `${alias}.${column}`).join(', ')
  const excluded = (columns: readonly string[]) =>
    columns.map((column) => `${column} = excluded.${column}`).join(', ')

  /**
   * Now, and since when the server serves this store, as heartbeats found: another one before was down, or was another machine, and from
   * then on every holder has its TTL to come back. As long as none has come, nobody is overdue.
   */
  const clock = `clock AS MATERIALIZED (
    SELECT t.wall, CASE WHEN f.served_by = pg_postmaster_start_time() THEN f.served_since ELSE t.wall END AS up
    FROM (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::double precision AS wall) t CROSS JOIN ${s}.store f WHERE f.one)`
  const expiry = (alias: string) => `greatest(${alias}.expires_at, clock.up + ${alias}.ttl_ms)`
  const gone = `gone AS MATERIALIZED (
    (SELECT h.holder FROM ${s}.holders h WHERE h.dead ORDER BY h.expires_at)
    UNION ALL
    (SELECT h.holder FROM clock CROSS JOIN LATERAL (
      SELECT h.holder, ${expiry('h')} AS expiry FROM ${s}.holders h
      WHERE NOT h.dead AND h.expires_at <= clock.wall ORDER BY h.expires_at) h
    WHERE h.expiry <= clock.wall))`
  const holderJson = `json_build_object('holder', h.holder, 'expires_at', ${expiry('h')}, 'dead', h.dead, 'epoch', h.epoch)`
  /**
   * Joins the rows of a table to those that say their keys, always from these to that: OFFSET keeps the planner from turning it round, which
   * it would where it has seen the table when it held a few rows.
   */
  const lookUp = (table: string, alias: string, keys: string, columns = `${alias}.*`) =>
    `CROSS JOIN LATERAL (SELECT ${columns} FROM ${s}.${table} ${alias} WHERE ${keys} OFFSET 0) ${alias}`
  const all = (rows: string, what = 'row_to_json(x)') => `(SELECT json_agg(${what}) FROM ${rows} x)`

  /** Whether a sweep would find something. */
  const work = `(
    EXISTS (SELECT 1 FROM ${s}.concurrency_slots s WHERE s.due_at <= clock.wall AND s.due_at IS NOT NULL AND s.phase <> 'record')
    OR EXISTS (SELECT 1 FROM ${s}.holders h WHERE h.dead)
    OR EXISTS (SELECT 1 FROM ${s}.holders h WHERE NOT h.dead AND h.expires_at <= clock.wall AND ${expiry('h')} <= clock.wall)
    OR EXISTS (SELECT 1 FROM ${s}.domains d WHERE d.backlog AND d.swept_until <= clock.wall)
    OR EXISTS (SELECT 1 FROM ${s}.concurrency_slots s WHERE s.phase = 'record' AND s.due_at <= clock.wall)
    OR EXISTS (SELECT 1 FROM ${s}.repository_states r WHERE r.due_at IS NOT NULL AND r.due_at <= clock.wall))`
  return { s, run, excluded, clock, expiry, gone, holderJson, all, lookUp, work }
}
