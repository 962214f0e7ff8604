import { stripVTControlCharacters } from 'node:util'

/** Text as a terminal may show it: keys hold anything, and a terminal must not obey them. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, '\u{FFFD}')
}
