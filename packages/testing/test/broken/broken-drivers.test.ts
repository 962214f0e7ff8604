import { writeFileSync } from 'node:fs'
import { afterAll, describe, test } from 'vitest'
import { brokenDrivers } from './broken-drivers.ts'
import { expectConviction, judge } from './judge.ts'

/** `SLOTKEEPER_BROKEN_ONLY=barges` tries those of such a name. */
const only = new RegExp(process.env.SLOTKEEPER_BROKEN_ONLY ?? '')
const tried = brokenDrivers.filter(({ name, alone }) => alone !== true && only.test(name))
const trials = tried.map((broken) => ({ broken, verdict: judge(broken) }))

describe('a driver is convicted under the name of the rule that it breaks', () => {
  for (const { broken, verdict } of trials)
    test(`${broken.rule}: ${broken.name}`, { timeout: 300_000 }, async () => expectConviction(await verdict))
})

/** `SLOTKEEPER_BROKEN_REPORT=file` writes which tests convicted whom: `+` under the right name, `-` under another. */
afterAll(async () => {
  const report = process.env.SLOTKEEPER_BROKEN_REPORT
  if (report === undefined) return
  const lines: string[] = []
  for (const { broken, right, collateral } of await Promise.all(trials.map(({ verdict }) => verdict))) {
    lines.push(`${broken.rule}: ${broken.name}`)
    for (const { test: name, message } of right) lines.push(`  + ${name}`, `      ${message.split('\n')[0]}`)
    for (const { test: name } of collateral) lines.push(`  - ${name}`)
  }
  writeFileSync(report, `${lines.join('\n')}\n`)
})
