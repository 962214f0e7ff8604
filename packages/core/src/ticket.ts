/** Digits of the counter: 36^8 calls of one Manager. */
const DIGITS = 8

/** The last two digits, ready made: a ticket is made for every call. */
const LOW = Array.from({ length: 36 ** 2 }, (_, low) => low.toString(36).padStart(2, '0'))

/** Makes the tickets of one caller: unique over all callers, and sorting in the order in which they were made. */
export function ticketSource(caller: string): () => string {
  let high = 0
  let low = 0
  let prefix = `${caller}.${'0'.repeat(DIGITS - 2)}`
  return () => {
    if (low === LOW.length) {
      low = 0
      prefix = `${caller}.${(++high).toString(36).padStart(DIGITS - 2, '0')}`
    }
    return prefix + LOW[low++]
  }
}

/**
 * Whether `ticket` was made by the same caller as `known` and not after it: then it is a repetition, or a duplicate that was under way
 * while its caller had moved on.
 */
export function isNotAfter(ticket: string, known: string): boolean {
  if (ticket.length !== known.length || ticket > known) return false
  return ticket.slice(0, -DIGITS) === known.slice(0, -DIGITS)
}
