import { expect, test } from 'vitest'
import { memory } from './breaking.ts'
import { brokenDrivers } from './broken-drivers.ts'
import { expectConviction, judge } from './judge.ts'
import { sqlite } from './sqlite.ts'
import { type Failure, run, testsOf } from './trial.ts'

/** In a process of their own: nobody else keeps it busy, changes its clock or leaves things open. */
const TIMEOUT_MS = 300_000

/** Few at once: an honest driver must not fail because the machine stalls. */
const LANES = 6

for (const [name, make] of Object.entries({ memory, sqlite }))
  test(`the honest ${name} driver is acquitted`, { timeout: TIMEOUT_MS }, async () => {
    // SQLite's own tests run the whole suite; here it passes what its broken variants are convicted by.
    const tests = testsOf(make).filter(
      (one) => name === 'memory' || /^(1|2|13|removal|batches)\b/.test(one.name),
    )
    const failures: Failure[] = []
    const lane = async () => {
      for (let next = tests.shift(); next !== undefined; next = tests.shift()) {
        const failure = await run(next)
        if (failure !== undefined) failures.push(failure)
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    expect(failures).toEqual([])
  })

for (const broken of brokenDrivers.filter(({ alone }) => alone === true))
  test(`a driver is convicted: ${broken.rule}: ${broken.name}`, { timeout: TIMEOUT_MS }, async () =>
    expectConviction(await judge(broken)),
  )
