import { hostname } from 'node:os'
import type { RepositoryKey, RunKey } from '@slotkeeper/core'
import { readDuration, readKey, readLimit, readPairs, readPriority } from '../arguments/option-readers.ts'
import { readArguments } from '../arguments/read-arguments.ts'
import { ExitError } from '../exit-error.ts'
import { ownRunKey } from './run-key.ts'

/** The options of `slotkeeper run`. */
const RUN_SPECS = {
  repository: { type: 'string' },
  limit: { type: 'string' },
  run: { type: 'string' },
  priority: { type: 'string' },
  wait: { type: 'string' },
  store: { type: 'string' },
  ttl: { type: 'string' },
  'max-hold': { type: 'string' },
  label: { type: 'string' },
  meta: { type: 'string', multiple: true },
  quiet: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** What `slotkeeper run` was asked to do. Times are in ms. */
export interface RunOptions {
  readonly repository: RepositoryKey
  /** 0 = unlimited. */
  readonly limit: number
  readonly run: RunKey
  readonly priority: number
  /** `undefined`: as long as it takes; 0: not at all. */
  readonly waitMs: number | undefined
  readonly store: string | undefined
  readonly ttlMs: number
  readonly maxHoldMs: number | undefined
  readonly label: string
  readonly meta: Readonly<Record<string, string>>
  readonly quiet: boolean
  readonly json: boolean
  readonly command: string
  readonly args: readonly string[]
}

/** Below this a busy machine cannot tell a dead wrapper from a slow one. */
const LEAST_TTL_MS = 1000
const LONGEST_LABEL = 64

/**
 * Reads the arguments of `slotkeeper run`; `'help'` when that was asked for.
 * @throws ExitError for what is wrong or missing
 */
export function readRunOptions(argv: readonly string[]): RunOptions | 'help' {
  const { values, behind } = readArguments(argv, RUN_SPECS)
  if (values.help) return 'help'
  if (behind === undefined)
    throw new ExitError("The command is missing. Write it behind ' -- ', as in: -- make test")
  const [command, ...args] = behind
  if (command === undefined || command === '')
    throw new ExitError("The command is missing: nothing stands behind ' -- '.")
  if (values.repository === undefined)
    throw new ExitError(
      '--repository is missing. Name what the limit belongs to, as in: --repository acme/api',
    )
  if (values.limit === undefined)
    throw new ExitError('--limit is missing. Say how many may run at once, as in: --limit 2; 0 is unlimited.')
  const repository = readKey('--repository', values.repository)
  return {
    repository,
    limit: readLimit('--limit', values.limit),
    run: values.run === undefined ? ownRunKey(repository, command) : readKey('--run', values.run),
    priority: values.priority === undefined ? 0 : readPriority('--priority', values.priority),
    waitMs:
      values.wait === undefined
        ? undefined
        : /^0+(\.0*)?([a-zµμ]+)?$/.test(values.wait)
          ? 0
          : readDuration('--wait', values.wait),
    store: values.store,
    ttlMs: values.ttl === undefined ? 30_000 : readDuration('--ttl', values.ttl, LEAST_TTL_MS),
    maxHoldMs:
      values['max-hold'] === undefined
        ? undefined
        : readDuration('--max-hold', values['max-hold'], LEAST_TTL_MS),
    label: readLabel(values.label),
    meta: readPairs('--meta', values.meta ?? []),
    quiet: values.quiet ?? false,
    json: values.json ?? false,
    command,
    args,
  }
}

function readLabel(text: string | undefined): string {
  if (text === undefined) return `${hostname().slice(0, LONGEST_LABEL - 12)}-${process.pid}`
  if (text !== '' && text.length <= LONGEST_LABEL) return text
  throw new ExitError(`--label has ${text.length} characters, and it must have 1 to ${LONGEST_LABEL}.`)
}
