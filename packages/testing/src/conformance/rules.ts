import { authorityRules } from './authority.ts'
import { batchRules } from './batches.ts'
import { budgetRules } from './budget.ts'
import { closingRules } from './closing.ts'
import { countRules } from './counts.ts'
import { deathRules } from './deaths.ts'
import { durableRules } from './durable.ts'
import { holderRules } from './holders.ts'
import { idempotencyRules } from './idempotency.ts'
import { identifierRules } from './identifiers.ts'
import type { Lab } from './lab.ts'
import { lifecycleRules } from './lifecycle.ts'
import { limitRules } from './limits.ts'
import { lostAnswerRules } from './lost-answers.ts'
import { orderRules } from './order.ts'
import { outageRules } from './outages.ts'
import { parkingRules } from './parking.ts'
import { raceRules } from './races.ts'
import { readRules } from './reads.ts'
import { removalRules } from './removal.ts'
import { repairRules } from './repair.ts'
import { repeatRules } from './repeats.ts'
import { repositoryStateRules } from './repository-states.ts'
import { rowRules } from './rows.ts'
import type { Rule } from './rule.ts'
import { stateRules } from './states.ts'
import { sweepRules } from './sweeps.ts'
import { tokenRules } from './tokens.ts'
import { waitingRules } from './waiting.ts'
import { watchRules } from './watching.ts'

/** One test. */
export interface DefinedRule {
  readonly name: string
  readonly body: (lab: Lab) => Promise<void>
}

/** In the order of DESIGN's list, then what lies across it. */
const GROUPS: readonly ((rule: Rule) => void)[] = [
  limitRules,
  tokenRules,
  orderRules,
  idempotencyRules,
  repeatRules,
  stateRules,
  waitingRules,
  watchRules,
  holderRules,
  sweepRules,
  deathRules,
  outageRules,
  closingRules,
  lostAnswerRules,
  countRules,
  repositoryStateRules,
  durableRules,
  parkingRules,
  authorityRules,
  removalRules,
  repairRules,
  identifierRules,
  readRules,
  rowRules,
  batchRules,
  budgetRules,
  lifecycleRules,
  raceRules,
]

/** All tests. */
export function allRules(): DefinedRule[] {
  const rules: DefinedRule[] = []
  const rule: Rule = (name, body) => rules.push({ name, body })
  for (const define of GROUPS) define(rule)
  return rules
}
