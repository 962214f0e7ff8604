/** The fields that are not what they are in `blank`. */
export function withoutBlank<T extends object>(fields: T, blank: Partial<T>): Partial<T> {
  const kept: Partial<T> = {}
  for (const field of Object.keys(fields) as (keyof T)[]) {
    const [value, other] = [fields[field], blank[field]]
    if (value !== other && JSON.stringify(value) !== JSON.stringify(other)) kept[field] = value
  }
  return kept
}
