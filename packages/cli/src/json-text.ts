import { UNSAFE } from './printable.ts'

/**
 * The value as JSON which a terminal may show as well: what a terminal would obey is written as an escape, and reads back the same.
 * `indent`: so many spaces a level; default: one line.
 */
export function jsonText(value: unknown, indent?: number): string {
  // Line feeds are the indentation's own: those of a text are escaped already.
  return JSON.stringify(value, undefined, indent).replace(UNSAFE, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
