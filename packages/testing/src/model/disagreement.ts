import type { Difference } from './difference.ts'
import { ruleOf } from './rule-of.ts'

/** A driver that is not as the model is. */
export class Disagreement extends Error {
  readonly rule: string

  constructor(rule: string, what: string) {
    super(what)
    this.rule = rule
  }
}

/** The most that is told of what differs. */
const MOST_SHOWN = 12

/** Says what differs, and which rule that concerns. */
export function disagreement(found: readonly Difference[], repeated: boolean, where?: string): Disagreement {
  const shown = found
    .slice(0, MOST_SHOWN)
    .map(({ path, driver, model }) => `  ${path}: the driver has ${show(driver)}, the model ${show(model)}`)
  const more = found.length > shown.length ? [`  and ${found.length - shown.length} more`] : []
  return new Disagreement(
    ruleOf(found, repeated),
    [...(where === undefined ? [] : [where]), ...shown, ...more].join('\n'),
  )
}

function show(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}
