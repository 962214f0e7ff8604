import type { Fragments } from './fragments.ts'

/** Keeps holders. */
export function holdersStatements({ s, clock, expiry, work }: Fragments) {
  /** Notes the server, told apart by when it was started, when it is another one than before. */
  const noted = `noted AS (UPDATE ${s}.store f SET served_by = pg_postmaster_start_time(), served_since = clock.wall
      FROM clock WHERE f.one AND f.served_by <> pg_postmaster_start_time())`
  return {
    /** holder, ttl */
    openHolder: `WITH ${clock}, ${noted} INSERT INTO ${s}.holders (holder, ttl_ms, expires_at)
      SELECT $1, $2::double precision, clock.wall + $2::double precision FROM clock
      RETURNING (SELECT wall FROM clock), ttl_ms, epoch, (SELECT ${work} FROM clock)`,
    /** holder. Answers no row for one that is dead, overdue or unknown. */
    heartbeat: `WITH ${clock}, ${noted} UPDATE ${s}.holders h SET expires_at = clock.wall + h.ttl_ms FROM clock
      WHERE h.holder = $1 AND NOT h.dead AND ${expiry('h')} > clock.wall
      RETURNING clock.wall, h.ttl_ms, h.epoch, (SELECT ${work} FROM clock)`,
    /** holder. Waits for the grants to it that are under way. */
    lockHolder: `SELECT 1 FROM ${s}.holders WHERE holder = $1 FOR UPDATE`,
    /** holder */
    closeHolder: `UPDATE ${s}.holders SET dead = true WHERE holder = $1 AND NOT dead`,
  }
}
