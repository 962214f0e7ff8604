import { readFileSync } from 'node:fs'
import { nearestName } from '@slotkeeper/core'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { ExitError } from './exit-error.ts'
import { explainVerb } from './explain/explain-verb.ts'
import { HELP } from './help.ts'
import { limitVerb } from './limit/limit-verb.ts'
import { migrateVerb } from './migrate/migrate-verb.ts'
import { type Output, output } from './output.ts'
import { printable } from './printable.ts'
import { queueVerb } from './queue/queue-verb.ts'
import { quoted } from './quoted.ts'
import { releaseVerb } from './release/release-verb.ts'
import { stateVerb } from './repository-state/state-verb.ts'
import { restoredVerb } from './restored/restored-verb.ts'
import { runVerb } from './run/run-verb.ts'
import { statusVerb } from './status/status-verb.ts'
import { watchVerb } from './watch/watch-verb.ts'

type Verb = (argv: readonly string[], out: Output, err: Output) => Promise<number>

const VERBS: Readonly<Record<string, Verb>> = {
  run: runVerb,
  status: statusVerb,
  queue: queueVerb,
  explain: explainVerb,
  watch: watchVerb,
  release: releaseVerb,
  pause: stateVerb('pause'),
  resume: stateVerb('resume'),
  drain: stateVerb('drain'),
  limit: limitVerb,
  migrate: migrateVerb,
  restored: restoredVerb,
  help: async (_argv, out) => show(out, HELP),
  '--help': async (_argv, out) => show(out, HELP),
  '-h': async (_argv, out) => show(out, HELP),
  '--version': async (_argv, out) => show(out, `${version()}\n`),
}

/**
 * Does what the arguments ask for and answers the exit code. Never rejects: whatever goes wrong is one sentence on standard error
 * and a code of EXIT.
 */
export async function runCli(argv: readonly string[]): Promise<number> {
  const [out, err] = [output(1), output(2)]
  const [name, ...rest] = argv
  // A defect; the supervisor ends a command that runs.
  process.on('uncaughtException', (error) => process.exit(report(error, err)))
  try {
    return await verbNamed(name)(rest, out, err)
  } catch (error) {
    const code = report(error, err)
    if (error instanceof ExitError && code === EXIT.usage) err.write(`${hint(name)}\n`)
    return code
  }
}

/** Says what went wrong, and answers the exit code of it. */
function report(error: unknown, err: Output): number {
  err.write(`slotkeeper: ${sentence(error)}\n`)
  if (process.env.SLOTKEEPER_DEBUG === '1' && error instanceof Error) err.write(`${error.stack}\n`)
  return exitCodeOf(error)
}

function verbNamed(name: string | undefined): Verb {
  if (name === undefined) throw new ExitError('The verb is missing, such as run or status.')
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined
  if (verb !== undefined) return verb
  throw new ExitError(
    `There is no verb ${quoted(name)}. Did you mean ${nearestName(name, ['run', ...Object.keys(VERBS)])}?`,
  )
}

function show(out: Output, text: string): number {
  out.write(text)
  return 0
}

/** Messages of several lines, as of configurations, keep their lines. */
function sentence(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n').map(printable).join('\n')
}

function hint(verb: string | undefined): string {
  const hasHelp = verb !== undefined && Object.hasOwn(VERBS, verb) && /^[a-z]+$/.test(verb)
  return `Try: slotkeeper ${hasHelp ? `${verb} ` : ''}--help`
}

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}
