import { stripVTControlCharacters } from 'node:util'

/** Lines up cells under their headings, two spaces apart; columns of numbers to the right. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows]
  const widths = headings.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ''))))
  const isNumeric = headings.map((_, column) =>
    rows.every((row) => /^[\d–-]+$/.test(plain(row[column] ?? ''))),
  )
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const space = ' '.repeat((widths[column] ?? 0) - width(cell))
        return isNumeric[column] ? space + cell : cell + space
      })
      .join('  ')
      .trimEnd()
  return `${all.map(line).join('\n')}\n`
}

function plain(cell: string): string {
  return stripVTControlCharacters(cell)
}

/** Characters, not bytes; wide ones of East Asia are not made up for. */
function width(cell: string): number {
  return [...plain(cell)].length
}
