import { once } from 'node:events'
import type { Logger } from '@slotkeeper/core'
import { baseline } from '../baseline.ts'
import { ensureDatabase } from '../ensure-database.ts'
import { migrate, status, verify } from '../migrate.ts'
import { repair } from '../repair.ts'
import { serveHealth } from '../sidecar/health-server.ts'
import { Sidecar } from '../sidecar/sidecar.ts'
import type { Settings } from './settings.ts'

/** What a verb works with. */
export interface Call {
  readonly settings: Settings
  readonly logger: Logger
  readonly signal: AbortSignal
  readonly dryRun: boolean
  readonly outOfOrder: boolean
  readonly through: readonly string[]
  readonly accept: readonly string[]
  readonly forget: readonly string[]
}

/** What a verb found: for programs, for people, and the exit code. */
export interface Outcome {
  readonly result: unknown
  readonly lines: readonly string[]
  readonly exitCode?: number
}

const FAILED = 1

/** What the command can do. */
export const VERBS: Readonly<Record<string, (call: Call) => Promise<Outcome>>> = {
  async up(call) {
    const { settings, dryRun, outOfOrder } = call
    if (settings.createDatabase && !dryRun)
      await ensureDatabase({ connectionString: settings.connectionString() })
    const result = await migrate({ ...optionsOf(call), dryRun, outOfOrder })
    const lines = result.applied.map(({ path, durationMs }) => (dryRun ? path : `${path}  ${durationMs} ms`))
    const what = dryRun ? 'would be applied' : 'applied'
    return { result, lines: [...lines, `${result.applied.length} ${what}, ${result.total} in all`] }
  },

  async status(call) {
    const result = await status(optionsOf(call))
    const lines = result.map(({ path, state, appliedAt, durationMs, appliedBy, how, detail }) =>
      [
        state.padEnd(12),
        path,
        ...(appliedAt ? [appliedAt.toISOString(), `by ${appliedBy}`] : []),
        ...(durationMs === undefined ? [] : [`${durationMs} ms`]),
        ...(how === undefined || how === 'run' ? [] : [`(${how})`]),
        ...(detail === undefined ? [] : [`- ${detail}`]),
      ].join('  '),
    )
    const pending = result.filter(({ state }) => state !== 'applied').length
    return { result, lines: [...lines, `${result.length - pending} applied, ${pending} not`] }
  },

  async verify(call) {
    const result = await verify(optionsOf(call))
    const lines = result.pending.map((path) => `${path} is not applied`)
    const exitCode = result.pending.length === 0 ? 0 : FAILED
    return {
      result,
      lines: [...lines, `${result.applied} applied as they are, ${result.pending.length} not`],
      exitCode,
    }
  },

  async baseline(call) {
    const { through } = call
    const result = await baseline({ ...optionsOf(call), ...(through.length > 0 && { through }) })
    return { result, lines: [...result, `${result.length} written as applied, nothing was run`] }
  },

  async repair(call) {
    const { accept, forget } = call
    await repair({ ...optionsOf(call), accept, forget })
    return { result: { accept, forget }, lines: [`${accept.length} accepted, ${forget.length} forgotten`] }
  },

  async serve({ settings, logger, signal }) {
    const sidecar = new Sidecar(settings, logger, signal)
    await using health = await serveHealth(sidecar, settings.healthPort)
    logger.info(
      { port: health.port, source: sidecar.source },
      'Serving /liveness, /readiness, /health and /healthz',
    )
    await sidecar.run()
    if (!signal.aborted) await once(signal, 'abort')
    return { result: { stopped: true }, lines: ['Stopped'] }
  },
}

function optionsOf({ settings, logger, signal }: Call) {
  const {
    connectionString,
    source,
    schemaOrder,
    allowEmpty,
    set,
    ledgerSchema,
    lockTimeoutMs,
    statementTimeoutMs,
  } = settings
  return {
    ...{ connectionString: connectionString(), source, schemaOrder, allowEmpty, set, ledgerSchema },
    ...{ lockTimeoutMs, statementTimeoutMs, logger, signal },
  }
}
