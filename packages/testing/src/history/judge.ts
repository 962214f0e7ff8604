import { checkLimits } from './check-limits.ts'
import { checkLost } from './check-lost.ts'
import { checkOrder } from './check-order.ts'
import { checkStates } from './check-states.ts'
import { checkTokens } from './check-tokens.ts'
import type { HistoryEntry } from './entries.ts'

/** A rule that a history breaks. */
export interface Violation {
  /** The number of the rule in DESIGN, `What must always hold`. */
  readonly rule: 1 | 2 | 3 | 4 | 5 | 6
  readonly message: string
  /** What proves it. */
  readonly entries: readonly HistoryEntry[]
}

/**
 * Judges a history by what can be proved from outside: where the order of two effects is not certain, the benefit of the doubt is
 * given. It knows nothing of how decisions are made, so that it does not repeat their mistakes.
 */
export function judge(history: readonly HistoryEntry[]): Violation[] {
  return [checkLimits, checkTokens, checkOrder, checkLost, checkStates].flatMap((check) => check(history))
}
