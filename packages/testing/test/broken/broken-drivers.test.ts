import { writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { type BrokenDriver, memory } from './breaking.ts'
import { brokenDrivers } from './broken-drivers.ts'
import { sqlite } from './sqlite.ts'
import { type Failure, rulesOf, run, testsOf } from './trial.ts'

/** With `SLOTKEEPER_BROKEN=all` every driver goes through the whole suite, and the report names every test that convicts it. */
const ALL = process.env.SLOTKEEPER_BROKEN === 'all'
const REPORT = process.env.SLOTKEEPER_BROKEN_REPORT

interface Verdict {
  readonly broken: BrokenDriver
  /** By tests named after the rule that it breaks, and by others. */
  readonly right: readonly Failure[]
  readonly collateral: readonly Failure[]
}

async function judge(broken: BrokenDriver): Promise<Verdict> {
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

/** `SLOTKEEPER_BROKEN_ONLY=barges` tries those of such a name. */
const only = new RegExp(process.env.SLOTKEEPER_BROKEN_ONLY ?? '')
const tried = brokenDrivers.filter(({ name }) => only.test(name))
const verdicts = new Map(tried.map((broken) => [broken, judge(broken)]))

describe('a driver is convicted under the name of the rule that it breaks', () => {
  for (const broken of tried)
    test(`${broken.rule}: ${broken.name}`, { timeout: 300_000 }, async () => {
      const { right, collateral } = (await verdicts.get(broken)) as Verdict
      expect(
        right.length,
        `It was acquitted of rule ${broken.rule}; convicted by: ${collateral.map((one) => one.test).join('; ')}`,
      ).toBeGreaterThan(0)
    })
})

describe('an honest driver is acquitted', () => {
  for (const [name, make] of Object.entries({ memory, sqlite }))
    test(name, { timeout: 300_000 }, async () => {
      // SQLite's own tests run the whole suite; here it is asked only what broken ones are convicted by.
      const tests = testsOf(make).filter(
        (one) => name === 'memory' || /^(1|2|13|removal|batches)\b/.test(one.name),
      )
      const failures = (await Promise.all(tests.map(run))).filter((failure) => failure !== undefined)
      expect(failures).toEqual([])
    })
})

afterAll(async () => {
  if (REPORT === undefined) return
  const lines: string[] = []
  for (const { broken, right, collateral } of await Promise.all(verdicts.values())) {
    lines.push(`${broken.rule}: ${broken.name}`)
    for (const { test: name, message } of right) lines.push(`  + ${name}\n      ${message.split('\n')[0]}`)
    for (const { test: name } of collateral) lines.push(`  - ${name}`)
  }
  writeFileSync(REPORT, `${lines.join('\n')}\n`)
})
