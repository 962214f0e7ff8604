import { InvalidArgumentError, SlotkeeperError } from '../errors.ts'
import { Manager } from '../manager.ts'
import type { ManagerOptions } from '../manager-options.ts'
import type { Environment } from './driver-options.ts'
import { importPackage } from './import-package.ts'
import { type Load, loadDriver } from './load-driver.ts'
import { loggerAtLevel } from './logger-at-level.ts'
import type { Settings } from './settings.ts'

type FromSettings = 'driver' | 'holderTtlMs' | 'leaseTtlMs' | 'claimTimeoutMs' | 'callTimeoutMs'

/** What settings cannot say about a Manager. */
export interface CreateManagerOptions extends Omit<ManagerOptions, FromSettings> {
  /** Imports the driver's package. Default: `import()`, as seen by core and then by the program's main file. */
  readonly load?: Load
  /** Where `PGPASSWORD` is read, for PostgreSQL settings without a password. Default: `process.env`. */
  readonly env?: Environment
}

/**
 * Makes the Manager that settings describe, with the driver that they select, loaded by the name of its package. Logs the
 * warnings of the settings. The `logger` gets what `concurrency-log-level` lets through. The store is not asked yet.
 * @example
 * await using manager = await createManager(parseSettings(configMap.data), { logger })
 * @throws SlotkeeperError `SLOTKEEPER_CONCURRENCY_DISABLED` when the settings are not enabled, `SLOTKEEPER_DRIVER_NOT_INSTALLED` with the
 * command that installs the driver, `SLOTKEEPER_DRIVER_UNUSABLE` when its package cannot be loaded or does not fit
 * @throws InvalidArgumentError when `settings` are not Settings, or the driver needs a longer holder TTL
 */
export async function createManager(
  settings: Settings,
  options: CreateManagerOptions = {},
): Promise<Manager> {
  checkSettings(settings)
  const { load = importPackage, env = process.env, ...rest } = options
  const driver = await loadDriver(settings, load, env)
  const logger = rest.logger && loggerAtLevel(rest.logger, settings.logLevel)
  for (const { key, message } of settings.warnings)
    logger?.warn({ event: 'config-warning', key }, `${key}: ${message}`)
  return new Manager({
    ...rest,
    ...(logger && { logger }),
    driver,
    holderTtlMs: settings.holderTtlMs,
    leaseTtlMs: settings[settings.driver].leaseTtlMs,
    claimTimeoutMs: settings.claimTimeoutMs,
    callTimeoutMs: settings.callTimeoutMs,
  })
}

function checkSettings(settings: Settings): void {
  if (typeof settings?.enabled !== 'boolean')
    throw new InvalidArgumentError('createManager takes what parseSettings or parseEnvironment returned.')
  if (!settings.enabled)
    throw new SlotkeeperError(
      'SLOTKEEPER_CONCURRENCY_DISABLED',
      'Concurrency is disabled, so there is no Manager to make. Runs go on by their annotations alone (pipelinesascode.tekton.dev/state, pipelinesascode.tekton.dev/execution-order). Set concurrency-enabled: "true" in the ConfigMap, or PAC_ETCD_ENABLED=true in the environment, to keep slots.',
    )
}
