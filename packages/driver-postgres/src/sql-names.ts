import { createHash } from 'node:crypto'

/** An identifier as SQL, whatever it holds. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** The channel on which the stores of this schema tell what happened. */
export function channelOf(schema: string): string {
  return `slotkeeper_${digest(schema).toString('hex', 0, 8)}`
}

/** What keeps the locks of this schema's domains apart from others of the database. */
export function lockSeedOf(schema: string): string {
  return digest(schema).readBigInt64BE(8).toString()
}

function digest(schema: string): Buffer {
  return createHash('sha256').update(`slotkeeper ${schema}`).digest()
}
