import type { StoreEvent, Told } from '@slotkeeper/core/driver'

/** PostgreSQL takes payloads of fewer than 8000 bytes. */
const MOST_BYTES = 7900
/** Beyond so many payloads of one commit, listeners are only told to look. */
const MOST_PAYLOADS = 8

/** Events as payloads of notifications, in their order; where they are too many, one that says to look. */
export function payloadsOf(origin: string, events: readonly StoreEvent[]): string[] {
  const payloads: string[] = []
  let parts: string[] = []
  let bytes = 0
  const close = () => {
    if (parts.length > 0) payloads.push(`{"origin":"${origin}","events":[${parts.join(',')}]}`)
    parts = []
    bytes = Buffer.byteLength(origin) + 30
  }
  close()
  for (const event of events) {
    const part = JSON.stringify(event)
    const size = Buffer.byteLength(part) + 1
    if (bytes + size > MOST_BYTES) close()
    if (bytes + size > MOST_BYTES || payloads.length >= MOST_PAYLOADS)
      return [JSON.stringify({ origin } satisfies Told)]
    parts.push(part)
    bytes += size
  }
  close()
  return payloads
}
