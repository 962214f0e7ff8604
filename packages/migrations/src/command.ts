/**
 * The `slotkeeper-migrate` command, for commands that forward to it.
 * @packageDocumentation
 */
import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import { isSlotkeeperError, nearestName } from '@slotkeeper/core'
import { HELP } from './command/help.ts'
import { lineLogger, type Streams } from './command/lines.ts'
import { readSettings, type Variable } from './command/settings.ts'
import { VERBS } from './command/verbs.ts'

const FAILED = 1
const DATABASE_UNUSABLE = 69
const USAGE = 125

const text = { type: 'string' } as const
const list = { type: 'string', multiple: true, default: [] as string[] } as const
const flag = { type: 'boolean', default: false } as const

/** Options that stand for a variable. */
const VARIABLES = {
  source: 'MIGRATIONS_PATH',
  configmap: 'CONFIGMAP_PATH',
  'schema-order': 'MIGRATIONS_SCHEMA_ORDER',
  set: 'MIGRATIONS_SET',
  'ledger-schema': 'MIGRATIONS_LEDGER_SCHEMA',
  'lock-timeout': 'MIGRATIONS_LOCK_TIMEOUT',
  'statement-timeout': 'MIGRATIONS_STATEMENT_TIMEOUT',
} as const satisfies Record<string, Variable>

/**
 * Does what the arguments ask for and answers the exit code; `serve` goes on until SIGTERM or SIGINT. Never rejects: whatever goes
 * wrong is told on standard error.
 */
export async function runMigrateCommand(
  argv: readonly string[],
  streams: Streams = standard,
): Promise<number> {
  const end = new AbortController()
  let ended: NodeJS.Signals | undefined
  // A second signal ends the process as if there were no handler.
  const stop = (signal: NodeJS.Signals) => {
    ended = signal
    end.abort(new Error(`Stopped by ${signal}; what was under way is rolled back.`))
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop)
  try {
    return await run(argv, streams, end.signal)
  } catch (error) {
    streams.err(`slotkeeper-migrate: ${error instanceof Error ? error.message : String(error)}\n`)
    if (ended !== undefined) return 128 + constants.signals[ended]
    return exitCodeOf(error)
  } finally {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, stop)
  }
}

async function run(argv: readonly string[], { out, err }: Streams, signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    allowNegative: true,
    options: {
      ...{ source: text, configmap: text, 'schema-order': text, set: text, 'ledger-schema': text },
      ...{ 'lock-timeout': text, 'statement-timeout': text, through: list, accept: list, forget: list },
      ...{
        'allow-empty': flag,
        'create-database': { type: 'boolean' },
        'dry-run': flag,
        'out-of-order': flag,
      },
      ...{ json: flag, help: { ...flag, short: 'h' } },
    },
  })
  const [name, ...others] = positionals
  if (values.help || name === 'help') {
    out(HELP)
    return 0
  }
  const verb = name !== undefined && Object.hasOwn(VERBS, name) ? VERBS[name] : undefined
  if (verb === undefined || others.length > 0) throw new UsageError(wrongVerb(name, others))
  const settings = readSettings(withOptions(values))
  const logger = lineLogger(err, values.json)
  const { through, accept, forget } = values
  const wanted = { through, accept, forget, dryRun: values['dry-run'], outOfOrder: values['out-of-order'] }
  const { result, lines, exitCode = 0 } = await verb({ settings, logger, signal, ...wanted })
  out(values.json ? `${JSON.stringify(result)}\n` : `${lines.join('\n')}\n`)
  return exitCode
}

/** An option goes before its variable, and before the variable that says the opposite. */
function withOptions(values: Readonly<Record<string, unknown>>): Record<string, string | undefined> {
  const env: Record<string, string | undefined> = { ...process.env }
  if (values.source !== undefined && values.configmap === undefined) delete env.CONFIGMAP_PATH
  if (values.configmap !== undefined && values.source === undefined) delete env.MIGRATIONS_PATH
  for (const [option, variable] of Object.entries(VARIABLES))
    if (values[option] !== undefined) env[variable] = String(values[option])
  if (values['allow-empty'] === true) env.MIGRATIONS_ALLOW_EMPTY = 'true'
  if (values['create-database'] !== undefined)
    env.MIGRATIONS_CREATE_DATABASE = String(values['create-database'])
  return env
}

/** The command line cannot be meant. */
class UsageError extends Error {}

function wrongVerb(name: string | undefined, others: readonly string[]): string {
  const names = Object.keys(VERBS) as [string, ...string[]]
  if (name === undefined) return `The verb is missing: ${names.join(', ')}. Try --help.`
  if (others.length > 0) return `${JSON.stringify(others[0])} is one word too many. Try --help.`
  return `There is no verb ${JSON.stringify(name)}. Did you mean ${nearestName(name, names)}?`
}

function exitCodeOf(error: unknown): number {
  if (!isSlotkeeperError(error)) return USAGE
  if (/^SLOTKEEPER_(STORE|SCHEMA)_/.test(error.code)) return DATABASE_UNUSABLE
  return error.code.startsWith('SLOTKEEPER_MIGRATION_') ? FAILED : USAGE
}

const standard: Streams = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
}
