/** Values as PostgreSQL reads an array of them; `undefined` is NULL. */
export function arrayText(values: readonly unknown[]): string {
  let text = '{'
  for (const value of values) {
    if (text.length > 1) text += ','
    if (value === undefined) text += 'NULL'
    else text += typeof value === 'string' ? `"${value.replace(/[\\"]/g, '\\$&')}"` : String(value)
  }
  return `${text}}`
}
