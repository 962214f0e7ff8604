import { stripVTControlCharacters } from 'node:util'
import stringWidth from 'string-width'
import type { Paint } from './paint.ts'

/**
 * Lines up cells under their headings, two spaces apart; columns of numbers to the right. Wide characters count as the two columns
 * that a terminal gives them, and what is drawn over the character before it as none. Cells must be printable.
 */
export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  paint: Paint = (_style, text) => text,
): string {
  const all = [headings.map((heading) => paint('bold', heading)), ...rows]
  const widths = headings.map((_, column) => Math.max(...all.map((row) => stringWidth(row[column] ?? ''))))
  const isNumeric = headings.map((_, column) =>
    rows.every((row) => /^[\d–-]+$/.test(stripVTControlCharacters(row[column] ?? ''))),
  )
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const space = ' '.repeat((widths[column] ?? 0) - stringWidth(cell))
        return isNumeric[column] ? space + cell : cell + space
      })
      .join('  ')
      .trimEnd()
  return `${all.map(line).join('\n')}\n`
}
