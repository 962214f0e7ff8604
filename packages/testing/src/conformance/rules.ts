import { limitRules } from './limits.ts'
import type { Lab } from './lab.ts'
import { idempotencyRules } from './idempotency.ts'
import { stateRules } from './states.ts'
import { durableRules } from './durable.ts'
import { holderRules } from './holders.ts'
import { deathRules } from './deaths.ts'
import { waitingRules } from './waiting.ts'
import { orderRules } from './order.ts'
import type { Rule } from './rule.ts'
import { tokenRules } from './tokens.ts'

/** One test. */
export interface DefinedRule {
  readonly name: string
  readonly body: (lab: Lab) => Promise<void>
}

/** All tests, in the order of the rules. */
export function allRules(): DefinedRule[] {
  const rules: DefinedRule[] = []
  const rule: Rule = (name, body) => rules.push({ name, body })
  for (const define of [limitRules, tokenRules, orderRules, idempotencyRules, stateRules, durableRules, holderRules, deathRules, waitingRules]) define(rule)
  return rules
}
