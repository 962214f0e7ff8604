import { expect } from 'vitest'
import type { BrokenDriver } from './breaking.ts'
import { type Failure, rulesOf, run, testsOf } from './trial.ts'

/** With `SLOTKEEPER_BROKEN=all` every driver goes through the whole suite, and the report names every test that convicts it. */
const ALL = process.env.SLOTKEEPER_BROKEN === 'all'

/** What the suite found. */
export interface Verdict {
  readonly broken: BrokenDriver
  /** By tests named after the rule that it breaks, and by others. */
  readonly right: readonly Failure[]
  readonly collateral: readonly Failure[]
}

/** Puts a driver on trial. */
export async function judge(broken: BrokenDriver): Promise<Verdict> {
  const named = ({ name }: { readonly name: string }) => rulesOf(name).includes(broken.rule)
  const tests = testsOf(broken.make).filter(
    (one) => ALL || (named(one) && (broken.only?.test(one.name) ?? !one.name.startsWith('1 to 5'))),
  )
  const failures = (await Promise.all(tests.map(run))).filter((failure) => failure !== undefined)
  const [right, collateral]: Failure[][] = [[], []]
  for (const failure of failures) {
    // A race is named after several rules; its judge says which one the history breaks.
    const told = [...failure.message.matchAll(/^(\d+)\. /gm)].map(([, rule]) => rule)
    const isRight = named({ name: failure.test }) && (told.length === 0 || told.includes(broken.rule))
    ;(isRight ? right : collateral)?.push(failure)
  }
  return { broken, right: right ?? [], collateral: collateral ?? [] }
}

/** A driver must be convicted under the name of the rule that it breaks. */
export function expectConviction({ broken, right, collateral }: Verdict): void {
  expect(
    right.length,
    `It was acquitted of rule ${broken.rule}; convicted by: ${collateral.map((one) => one.test).join('; ')}`,
  ).toBeGreaterThan(0)
}
