/** The fields that are not what they are in `blank`. Of lists only empty ones are alike. */
export function withoutBlank<T extends object>(fields: T, blank: Partial<T>): Partial<T> {
  const kept: Partial<T> = {}
  for (const field of Object.keys(fields) as (keyof T)[]) {
    const [value, other] = [fields[field], blank[field]]
    if (value !== other && !(isEmpty(value) && isEmpty(other))) kept[field] = value
  }
  return kept
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}
