const LONGEST = 60

/**
 * A word of the command line as a message shows it: quoted, its control characters escaped, cut to 60 characters. Of a URL, or of
 * anything with an `@`, nothing is shown, for it may hold a password.
 */
export function quoted(text: string): string {
  if (text.includes('@') || text.includes('://')) return '(not shown, it may hold a password)'
  return JSON.stringify(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text)
}
