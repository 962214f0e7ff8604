import pg from 'pg'

/**
 * A text as SQL, in ASCII whatever it holds: a migration may have set `client_encoding` to anything, and what follows in the same
 * session must not be read in that.
 */
export function literal(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return pg.escapeLiteral(text)
  return `convert_from(decode('${Buffer.from(text, 'utf8').toString('hex')}', 'hex'), 'UTF8')`
}

/** A name as SQL: quoted, so that nothing in it is syntax. */
export const identifier = pg.escapeIdentifier

/** Bytes as SQL. */
export function bytesLiteral(bytes: Uint8Array): string {
  return `decode('${Buffer.from(bytes).toString('hex')}', 'hex')`
}

/**
 * What takes back everything that a file can set in its session. Unlike `DISCARD ALL` it may stand beside other statements, and it is a
 * transaction of its own: a file may have made later ones read-only, which no longer holds for what begins after it.
 */
export const RESET_SESSION =
  'BEGIN; RESET SESSION AUTHORIZATION; RESET ALL; CLOSE ALL; UNLISTEN *; DISCARD TEMP; DEALLOCATE ALL; DISCARD SEQUENCES; COMMIT;'
