// npm run demo: worker processes share the slots of real manifests' repositories on one SQLite file; one of them is killed.
// In the order to read:
//   manifests.ts  Repository and PipelineRun resources      plan.ts         who does what, and about how long
//   conduct.ts    starts, kills, replaces                   fleet.ts        the worker processes
//   worker.ts     asks for slots (the SDK is used here)     run-child.ts    one run in a child process: run-one.mjs
//   run-log.ts    the log that all write                    history.ts      what it says, for view and judge
//   live-view.ts  while it runs                             judge.ts        whether everything held, with judge-*.ts
//   picture.ts    who had which slot, with picture-*.ts
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { conduct, TTL_MS, WORKERS } from './conduct.ts'
import { judge } from './judge.ts'
import { liveView } from './live-view.ts'
import { ManifestError, readManifests } from './manifests.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { drawPicture } from './picture.ts'
import { estimateSeconds, type Plan, scaleTo } from './plan.ts'
import { monotonicMs } from './run-log.ts'
import { isHeld, summaryJson, writeSummary } from './summary.ts'

const EXIT_FAILED = 1
const EXIT_USAGE = 2

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  let options: Options
  let plan: Plan
  try {
    options = readOptions(args)
    if (options.help) {
      console.log(USAGE)
      return 0
    }
    plan = readManifests(options.pipelines)
  } catch (error) {
    console.error(messageOf(error))
    if (error instanceof ManifestError) console.error('Nothing was started.')
    else console.error(USAGE)
    return EXIT_USAGE
  }
  if (options.seconds !== undefined) plan = scaleTo(plan, options.seconds)
  const interruption = new AbortController()
  let exitCode = 0
  const interrupt = (signal: NodeJS.Signals) => {
    exitCode ||= 128 + constants.signals[signal]
    interruption.abort(new Error(`Ended by ${signal}.`))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
  // Nobody reads any more.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => interrupt('SIGPIPE'))
  try {
    return await demonstrate(plan, options, interruption.signal)
  } catch (error) {
    if (!interruption.signal.aborted) throw error
    if (exitCode !== 128 + constants.signals.SIGPIPE) console.error(messageOf(interruption.signal.reason))
    return exitCode
  }
}

async function demonstrate(plan: Plan, options: Options, signal: AbortSignal): Promise<number> {
  const stream = options.json ? process.stderr : process.stdout
  const folder = mkdtempSync(join(tmpdir(), 'slotkeeper-demo-'))
  const logPath = join(folder, 'children.log')
  let keep = options.keep
  try {
    stream.write(introduction(plan, options))
    const view = liveView(plan, stream)
    const beganAt = monotonicMs()
    const history = await conduct(plan, { folder, logPath, view, signal }).finally(() => view.close())
    const seconds = (monotonicMs() - beganAt) / 1000
    const verdict = judge(plan, history, { ttlMs: TTL_MS })
    keep ||= !isHeld(verdict)
    // Beside the folder, whose name nobody else can have taken.
    const picture = options.picture ?? `${folder}.svg`
    writeFileSync(picture, drawPicture(plan, history))
    const summary = { seconds, verdict, log: keep ? logPath : undefined, picture }
    if (options.json) console.log(JSON.stringify(summaryJson(summary)))
    else writeSummary(summary, stream)
    return isHeld(verdict) ? 0 : EXIT_FAILED
  } catch (error) {
    if (signal.aborted) throw error
    keep = true
    console.error(`The demo failed: ${messageOf(error)}\nThe children's log: ${logPath}`)
    return EXIT_FAILED
  } finally {
    if (keep) for (const name of readdirSync(folder)) if (name !== 'children.log') rmSync(join(folder, name))
    if (!keep) rmSync(folder, { recursive: true, force: true })
  }
}

function introduction(plan: Plan, { pipelines }: Options): string {
  const from = relative(process.cwd(), pipelines)
  return [
    `${plan.runs.length} runs of ${plan.repositories.length} repositories, as the manifests in ${from.startsWith('..') ? pipelines : from} say.`,
    `${WORKERS} worker processes ask for all of them at once and meet in one SQLite file; every run is a process of its own.`,
    `In the middle one worker is killed with -9: its children stop, its slots come back after about ${TTL_MS / 1000} s, a new worker does the rest.`,
    `At the end the log that the children write is judged: limits, order, nothing lost. This takes about ${Math.round(estimateSeconds(plan))} s.`,
    '',
    '',
  ].join('\n')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
