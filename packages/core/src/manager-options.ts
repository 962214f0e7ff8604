import { type Clock, MOST_MS, systemClock } from './clock.ts'
import type { Driver } from './driver.ts'
import { InvalidArgumentError } from './errors.ts'
import { textProblem } from './keys.ts'
import { type Logger, silentLogger } from './logger.ts'
import { type Metrics, silentMetrics } from './metrics.ts'

/** Options of a Manager. Times are in ms. */
export interface ManagerOptions {
  /** The store. A driver belongs to one Manager, which opens and closes it. */
  readonly driver: Driver
  /** Stands in the holder id, for people who look at the store. Default: `manager`. */
  readonly label?: string
  /** How soon a dead process's slots come back; a third of it is the time between heartbeats. Default 30,000. */
  readonly holderTtlMs?: number
  /** How long a durable slot is kept that nobody keeps alive. Default: 3,600,000 for stores of a network, else 1,800,000. */
  readonly leaseTtlMs?: number
  /** How long a reservation waits to be claimed before the next run gets its chance. Default 60,000. */
  readonly claimTimeoutMs?: number
  /** How long any call may take that does not wait for a slot. Default 10,000. */
  readonly callTimeoutMs?: number
  /** How long the record of an ended run is kept. Default 86,400,000. */
  readonly recordTtlMs?: number
  /** `migrate` makes or upgrades the store's schema; `check` only looks and refuses. Default `migrate`. */
  readonly schema?: 'migrate' | 'check'
  readonly logger?: Logger
  readonly metrics?: Metrics
  readonly clock?: Clock
  /** Numbers from 0 up to 1, for ids and for jitter; tests that must repeat give their own. Default: the system's. */
  readonly random?: () => number
}

/** ManagerOptions with every default filled in. */
export type ResolvedOptions = Required<ManagerOptions>

function systemRandom(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] as number) / 2 ** 32
}

/**
 * Checks the options and fills in the defaults.
 * @throws InvalidArgumentError naming the option that is wrong
 */
export function resolveOptions(options: ManagerOptions): ResolvedOptions {
  const driver = options?.driver
  if (typeof driver !== 'object' || driver === null || typeof driver.transact !== 'function')
    throw new InvalidArgumentError(
      'ManagerOptions.driver is not a driver. Pass what memoryDriver(), sqliteDriver(…) or another driver function returned.',
    )
  const label = options.label ?? 'manager'
  const problem =
    typeof label === 'string'
      ? label.length > 64
        ? 'it is longer than 64 characters'
        : textProblem(label)
      : 'it is not text'
  if (problem !== undefined)
    throw new InvalidArgumentError(`ManagerOptions.label cannot be used: ${problem}.`)
  const least = driver.manifest.minimumTtlMs
  const holderTtlMs = duration('holderTtlMs', options.holderTtlMs, 30_000)
  if (holderTtlMs < least)
    throw new InvalidArgumentError(
      `ManagerOptions.holderTtlMs is ${holderTtlMs}: the ${driver.name} driver needs at least ${least} ms.`,
    )
  return {
    driver,
    label,
    holderTtlMs,
    leaseTtlMs: duration(
      'leaseTtlMs',
      options.leaseTtlMs,
      driver.manifest.scope === 'network' ? 3_600_000 : 1_800_000,
    ),
    claimTimeoutMs: duration('claimTimeoutMs', options.claimTimeoutMs, 60_000),
    callTimeoutMs: duration('callTimeoutMs', options.callTimeoutMs, 10_000),
    recordTtlMs: duration('recordTtlMs', options.recordTtlMs, 86_400_000),
    schema: options.schema ?? 'migrate',
    logger: options.logger ?? silentLogger,
    metrics: options.metrics ?? silentMetrics,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  }
}

function duration(name: string, value: number | undefined, standard: number): number {
  if (value === undefined) return standard
  if (typeof value === 'number' && value >= 1 && value <= MOST_MS) return Math.ceil(value)
  throw new InvalidArgumentError(
    `ManagerOptions.${name} is ${String(value)}: it must be a number of milliseconds from 1 to ${MOST_MS}.`,
  )
}
