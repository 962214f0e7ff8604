/** Digits of the counter: 36^8 calls of one Manager. */
const DIGITS = 8

/** Makes the tickets of one caller: unique over all callers, and sorting in the order in which they were made. */
export function ticketSource(caller: string): () => string {
  let made = 0
  return () => `${caller}.${(made++).toString(36).padStart(DIGITS, '0')}`
}

/**
 * Whether `ticket` was made by the same caller as `known` and not after it: then it is a repetition, or a duplicate that was under way
 * while its caller had moved on.
 */
export function isNotAfter(ticket: string, known: string): boolean {
  if (ticket.length !== known.length || ticket > known) return false
  return ticket.slice(0, -DIGITS) === known.slice(0, -DIGITS)
}
