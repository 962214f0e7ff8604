import type { Driver } from '../driver.ts'
import { isSlotkeeperError, SlotkeeperError } from '../errors.ts'
import { type DriverPackage, driverOptions, driverPackages, type Environment } from './driver-options.ts'
import { isPackageNotFound } from './package-not-found.ts'
import type { Settings } from './settings.ts'

/** Imports a package by name. */
export type Load = (specifier: string) => Promise<unknown>

/**
 * Loads the package of the selected driver and makes the driver. What the factory throws, and errors of Slotkeeper that the
 * package throws while loading, pass as they are.
 * @throws SlotkeeperError `SLOTKEEPER_DRIVER_NOT_INSTALLED` with the install command, or `SLOTKEEPER_DRIVER_UNUSABLE` when the package is
 * there and cannot be loaded (`cause` says why) or has no factory
 */
export async function loadDriver(settings: Settings, load: Load, env: Environment): Promise<Driver> {
  const driverPackage = driverPackages[settings.driver]
  const factory = factoryOf(await importDriver(driverPackage, settings, load), driverPackage.factory)
  if (factory === undefined)
    throw new SlotkeeperError(
      'SLOTKEEPER_DRIVER_UNUSABLE',
      `The package ${driverPackage.specifier} exports no function ${driverPackage.factory}. Install the release that belongs to this one of @slotkeeper/core.`,
    )
  return factory(driverOptions(settings, env))
}

async function importDriver(driverPackage: DriverPackage, settings: Settings, load: Load): Promise<unknown> {
  const { specifier } = driverPackage
  try {
    return await load(specifier)
  } catch (cause) {
    if (isSlotkeeperError(cause)) throw cause
    if (isPackageNotFound(cause, specifier))
      throw new SlotkeeperError(
        'SLOTKEEPER_DRIVER_NOT_INSTALLED',
        `The configuration selects the ${settings.driver} driver, and its package is not installed. Run: npm install ${specifier}`,
        { cause },
      )
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new SlotkeeperError(
      'SLOTKEEPER_DRIVER_UNUSABLE',
      `The package ${specifier} cannot be loaded: ${why}`,
      { cause },
    )
  }
}

function factoryOf(module: unknown, name: string): ((options: object) => Driver) | undefined {
  const made =
    typeof module === 'object' && module !== null ? (module as Record<string, unknown>)[name] : undefined
  return typeof made === 'function' ? (made as (options: object) => Driver) : undefined
}
