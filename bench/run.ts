// npm run bench: measures the built packages against baselines, and says which goals are met.
// In the order to read:
//   harness/case.ts          what a case is: subjects that are measured, figures that are made of them, goals
//   suites/                  the cases; each file is one case with its goals beside it
//   harness/run-case.ts      alternating runs, each subject in a fresh process: harness/in-child.ts, child.ts
//   harness/judge.ts         medians, spread, and whether a goal is met
//   harness/table.ts         for people; harness/json.ts for programs; harness/noise.ts for the machine
import { readOptions, usageOf } from './harness/arguments.ts'
import { jsonLine } from './harness/json.ts'
import { judge, type Result } from './harness/judge.ts'
import { Noise } from './harness/noise.ts'
import { runCase } from './harness/run-case.ts'
import { table } from './harness/table.ts'
import { chooseCases, suiteNames } from './suites/index.ts'

const EXIT_MISSED = 1
const EXIT_USAGE = 2

// Whoever reads the figures may have heard enough.
process.stdout.on('error', () => process.exit(EXIT_MISSED))
process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  let options: ReturnType<typeof readOptions>
  let chosen: Awaited<ReturnType<typeof chooseCases>>
  try {
    options = readOptions(args)
    if (options.help) {
      console.log(usageOf(suiteNames))
      return 0
    }
    chosen = await chooseCases(options.suites, options.cases)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usageOf(suiteNames)}`)
    return EXIT_USAGE
  }
  const noise = Noise.begin()
  console.error(noise.opening())
  const results: Result[] = []
  let failed = false
  for (const [at, { suite, case: one }] of chosen.entries()) {
    const title = `${at + 1}/${chosen.length} ${suite} ${one.name}`
    const rounds = await runCase(suite, one, options, title).catch((error: unknown) => {
      console.error(`${title}: ${error instanceof Error ? error.message : String(error)}`)
      return []
    })
    if (rounds.length === 0) failed = true
    const figures = judge(suite, one, rounds, options)
    results.push(...figures)
    if (options.json) for (const figure of figures) console.log(jsonLine(figure))
  }
  if (!options.json) console.log(table(results))
  console.error(noise.closing())
  const missed = results.filter((result) => result.met === false)
  if (missed.length > 0)
    console.error(`${missed.length} of ${results.filter((r) => r.met !== null).length} goals missed.`)
  return failed || (options.check && missed.length > 0) ? EXIT_MISSED : 0
}
