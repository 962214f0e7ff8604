/** A rule of DESIGN, "What must always hold", by its number; 0: something that must never happen, such as an unknown error. */
export type RuleNumber = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14

/** Thrown and collected where a rule is seen to be broken. */
export interface BrokenRule {
  readonly rule: RuleNumber
  readonly message: string
  /** Virtual ms. */
  readonly at: number
}
