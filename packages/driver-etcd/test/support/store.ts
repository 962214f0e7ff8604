import { setTimeout as sleep } from 'node:timers/promises'
import {
  Manager,
  type ManagerOptions,
  type Repository,
  type RunKey,
  repository,
  type Slot,
} from '@slotkeeper/core'
import type { Driver } from '@slotkeeper/core/driver'
import { onTestFinished } from 'vitest'
import { type EtcdDriverOptions, etcdDriver } from '../../src/index.ts'

/** Patience with what must come about, before the runner's own is over. */
const PATIENCE_MS = 60_000

/** A Manager that is closed when the test is over. */
export function managerOf(options: EtcdDriverOptions, more: Omit<ManagerOptions, 'driver'> = {}): Manager {
  const manager = new Manager({ ...more, driver: etcdDriver(options) })
  onTestFinished(() => manager.close())
  return manager
}

/** A driver that is not open yet, closed when the test is over. */
export function driverOf(options: EtcdDriverOptions): Driver {
  const driver = etcdDriver(options)
  onTestFinished(() => driver.close())
  return driver
}

/** A repository of the tests. */
export function repo(concurrencyLimit: number, name = 'api'): Repository {
  return repository(`acme/${name}`, { concurrencyLimit })
}

/** The slot of a run that must be granted at once. */
export async function granted(manager: Manager, run: RunKey, limit = 1, name?: string): Promise<Slot> {
  const outcome = await manager.acquireSlot({ repository: repo(limit, name), run })
  if (outcome.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(outcome)}`)
  return outcome.slot
}

/** Asks again and again until the answer is yes; failures count as no. */
export async function until(what: string, probe: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  let failure: unknown
  while (performance.now() < deadline) {
    try {
      if (await probe()) return
    } catch (error) {
      failure = error
    }
    await sleep(20)
  }
  throw new Error(`It did not come about within ${PATIENCE_MS} ms that ${what}.`, { cause: failure })
}
