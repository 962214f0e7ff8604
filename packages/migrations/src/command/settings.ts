import { existsSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type ConfigProblem, InvalidConfigError, nearestName, parseDuration } from '@slotkeeper/core'
import { configOf } from '../database.ts'
import { configMapSource, directorySource, type MigrationSource } from '../source.ts'

/** What the command is told by its options and by the environment. */
export interface Settings {
  /** Reads the address anew each time: a mounted Secret changes. */
  readonly connectionString: () => string
  readonly source: MigrationSource
  readonly createDatabase: boolean
  readonly schemaOrder: readonly string[]
  readonly allowEmpty: boolean
  readonly set: string
  readonly ledgerSchema: string
  readonly lockTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly healthPort: number
  readonly checkIntervalMs: number
  readonly postgresTimeoutMs: number
  /** Files that are there while everything is applied. */
  readonly flagPaths: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>

/** Every variable, with its default. What an option of the command line sets goes before it. */
const DEFAULTS = {
  DATABASE_URL: 'postgresql://pact:pact@localhost:5432/pact_mock_servers',
  DATABASE_URL_FILE: undefined,
  POSTGRES_HOST: 'localhost',
  POSTGRES_PORT: '5432',
  NAMESPACE: 'secret-manager-controller-pact-broker',
  CONFIGMAP_NAME: 'postgres-migrations',
  CONFIGMAP_PATH: '/migrations-configmap',
  HEALTH_PORT: '1239',
  CHECK_INTERVAL_SECS: '2',
  POSTGRES_TIMEOUT_SECS: '90',
  MIGRATIONS_APPLIED_FLAG_PATH: '/tmp/migrations-applied.flag',
  MIGRATIONS_READY_SENTINEL_PATH: '/shared/migrations-ready.flag',
  MIGRATIONS_PATH: undefined,
  MIGRATIONS_SCHEMA_ORDER: '',
  MIGRATIONS_ALLOW_EMPTY: 'false',
  MIGRATIONS_CREATE_DATABASE: 'true',
  MIGRATIONS_SET: 'default',
  MIGRATIONS_LEDGER_SCHEMA: 'slotkeeper',
  MIGRATIONS_LOCK_TIMEOUT: '10s',
  MIGRATIONS_STATEMENT_TIMEOUT: '0',
} as const satisfies Record<string, string | undefined>

/** The name of a variable. */
export type Variable = keyof typeof DEFAULTS

const NAMES = Object.keys(DEFAULTS) as [Variable, ...Variable[]]
const YES_OR_NO: Readonly<Record<string, boolean>> = {
  true: true,
  false: false,
  1: true,
  0: false,
  yes: true,
  no: false,
}
const LONGEST_MS = 86_400_000

/**
 * Reads all settings. Empty variables count as not set, as templates leave them.
 * @throws InvalidConfigError (`SLOTKEEPER_INVALID_CONFIG`) with everything that is wrong, and no password in it
 */
export function readSettings(env: Environment): Settings {
  const problems: ConfigProblem[] = []
  const given = (name: Variable) => (env[name] === '' ? undefined : env[name])
  const text = (name: Variable): string => given(name) ?? DEFAULTS[name] ?? ''
  const refuse = (key: string, message: string) => problems.push({ key, message })
  const number = (name: Variable, from: number, to: number): number => {
    const value = Number(text(name))
    if (/^\d+$/.test(text(name)) && value >= from && value <= to) return value
    refuse(name, `${JSON.stringify(text(name))} is not a whole number from ${from} to ${to}.`)
    return from
  }
  const flag = (name: Variable): boolean => {
    const value = YES_OR_NO[text(name).toLowerCase()]
    if (value === undefined) refuse(name, `${JSON.stringify(text(name))} is neither true nor false.`)
    return value === true
  }
  const duration = (name: Variable): number => {
    if (text(name) === '0') return 0
    try {
      return parseDuration(text(name), { maximumMs: LONGEST_MS })
    } catch (error) {
      refuse(name, (error as Error).message)
      return 0
    }
  }

  for (const name of Object.keys(env))
    if (/^MIGRATIONS_/.test(name) && !Object.hasOwn(DEFAULTS, name))
      refuse(name, `there is no such variable. Did you mean ${nearestUpper(name)}?`)
  const port = number('POSTGRES_PORT', 1, 65_535)
  const settings: Settings = {
    connectionString: addressReader(given, port, refuse),
    source: sourceOf(given, text, refuse),
    createDatabase: flag('MIGRATIONS_CREATE_DATABASE'),
    schemaOrder: text('MIGRATIONS_SCHEMA_ORDER')
      .split(',')
      .flatMap((name) => name.trim() || []),
    allowEmpty: flag('MIGRATIONS_ALLOW_EMPTY'),
    set: text('MIGRATIONS_SET'),
    ledgerSchema: text('MIGRATIONS_LEDGER_SCHEMA'),
    lockTimeoutMs: duration('MIGRATIONS_LOCK_TIMEOUT'),
    statementTimeoutMs: duration('MIGRATIONS_STATEMENT_TIMEOUT'),
    healthPort: number('HEALTH_PORT', 0, 65_535),
    checkIntervalMs: number('CHECK_INTERVAL_SECS', 1, 3600) * 1000,
    postgresTimeoutMs: number('POSTGRES_TIMEOUT_SECS', 1, 86_400) * 1000,
    flagPaths: flagPathsOf(given, text, refuse),
  }
  if (problems.length > 0) throw new InvalidConfigError(problems)
  return settings
}

function nearestUpper(name: string): string {
  const [first, ...others] = NAMES.map((one) => one.toLowerCase())
  return nearestName(name, [first as string, ...others]).toUpperCase()
}

type Refuse = (key: string, message: string) => void
type Given = (name: Variable) => string | undefined

function addressReader(given: Given, port: number, refuse: Refuse): () => string {
  const file = given('DATABASE_URL_FILE')
  if (file !== undefined && given('DATABASE_URL') !== undefined)
    refuse('DATABASE_URL_FILE', 'DATABASE_URL is set as well; set one of the two.')
  const read = () => {
    if (file !== undefined) return readFileSync(file, 'utf8').trim()
    const url = given('DATABASE_URL')
    if (url !== undefined) return url
    const made = new URL(DEFAULTS.DATABASE_URL)
    made.hostname = given('POSTGRES_HOST') ?? DEFAULTS.POSTGRES_HOST
    made.port = String(port)
    return made.href
  }
  try {
    const config = configOf({ connectionString: read() })
    if (file !== undefined || given('DATABASE_URL') !== undefined) {
      const host = given('POSTGRES_HOST')
      if (host !== undefined && host !== config.host)
        refuse(
          'POSTGRES_HOST',
          `the address of the database names the host ${JSON.stringify(config.host)}; leave one of the two out.`,
        )
      if (given('POSTGRES_PORT') !== undefined && port !== Number(config.port ?? 5432))
        refuse(
          'POSTGRES_PORT',
          `the address of the database names the port ${config.port ?? 5432}; leave one of the two out.`,
        )
    }
  } catch (error) {
    refuse(file === undefined ? 'DATABASE_URL' : 'DATABASE_URL_FILE', (error as Error).message)
  }
  return read
}

function sourceOf(given: Given, text: (name: Variable) => string, refuse: Refuse): MigrationSource {
  const directory = given('MIGRATIONS_PATH')
  if (directory === undefined)
    return configMapSource(text('CONFIGMAP_PATH'), { name: `${text('NAMESPACE')}/${text('CONFIGMAP_NAME')}` })
  if (given('CONFIGMAP_PATH') !== undefined)
    refuse('MIGRATIONS_PATH', 'CONFIGMAP_PATH is set as well; set one of the two.')
  return directorySource(directory)
}

/** The place of a default need not be there; a place that was asked for must be. */
function flagPathsOf(given: Given, text: (name: Variable) => string, refuse: Refuse): string[] {
  return (['MIGRATIONS_APPLIED_FLAG_PATH', 'MIGRATIONS_READY_SENTINEL_PATH'] as const).flatMap((name) => {
    const path = text(name)
    if (existsSync(dirname(path))) return [path]
    if (given(name) !== undefined)
      refuse(name, `the directory ${JSON.stringify(dirname(path))} does not exist.`)
    return []
  })
}
