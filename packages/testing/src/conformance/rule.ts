import type { Lab } from './lab.ts'

/** Defines one test; its name begins with the number of the rule in DESIGN, `What must always hold`, or says what else it is about. */
export type Rule = (name: string, body: (lab: Lab) => Promise<void>) => void
