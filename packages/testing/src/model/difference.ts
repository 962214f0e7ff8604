import type { Place } from '@slotkeeper/core/driver'
import { type Plain, placesAgree } from './allowances.ts'

/** One thing that the driver has otherwise than the model. */
export interface Difference {
  readonly path: string
  readonly driver: Plain | undefined
  readonly model: Plain | undefined
}

/** Where two pieces of plain data differ. */
export function differences(
  path: string,
  driver: Plain | undefined,
  model: Plain | undefined,
): readonly Difference[] {
  if (path.endsWith('.place'))
    return placesAgree(driver as Place | undefined, model as Place | undefined)
      ? []
      : [{ path, driver, model }]
  if (isObject(driver) && isObject(model) && Array.isArray(driver) === Array.isArray(model)) {
    const names = new Set([...Object.keys(driver), ...Object.keys(model)])
    const [ours, theirs] = [driver, model] as readonly Readonly<Record<string, Plain>>[]
    return [...names].flatMap((name) => differences(`${path}.${name}`, own(ours, name), own(theirs, name)))
  }
  return Object.is(driver, model) ? [] : [{ path, driver, model }]
}

function isObject(value: Plain | undefined): value is Extract<Plain, object> {
  return typeof value === 'object' && value !== null
}

function own(of: Readonly<Record<string, Plain>> | undefined, name: string): Plain | undefined {
  return of !== undefined && Object.hasOwn(of, name) ? of[name] : undefined
}
