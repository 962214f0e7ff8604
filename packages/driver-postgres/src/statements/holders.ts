import type { Fragments } from './fragments.ts'

/** Keeps holders. */
export function holdersStatements({ s, clock, expiry, work }: Fragments) {
  return {
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
  }
}
