const SHOWN_LENGTH = 60

/**
 * A value as a message shows it: quoted, its control characters escaped, cut to 60 characters. What comes before an `@` or
 * after a `=` is left out, because a connection string in the wrong key carries its password there.
 */
export function shown(text: string): string {
  const from = text.lastIndexOf('@')
  const behindAt = from === -1 ? text : `…${text.slice(from)}`
  const safe = behindAt.replace(/=.*/s, '=…')
  return JSON.stringify(safe.length > SHOWN_LENGTH ? `${safe.slice(0, SHOWN_LENGTH)}…` : safe)
}
