// What a user's compiler sees: every entry, and the types that calls give and take.
import {
  type AcquireOutcome,
  type ErrorCode,
  isSlotkeeperError,
  Manager,
  type Repository,
  repository,
  type Slot,
} from '@slotkeeper/core'
import type { Decide, DomainBatch, Driver } from '@slotkeeper/core/driver'
import { createManager, parseEnvironment } from '@slotkeeper/core/node'
import { memoryDriver } from '@slotkeeper/driver-memory'
import { sqliteDriver } from '@slotkeeper/driver-sqlite'
import { faultyDriver, testManager } from '@slotkeeper/testing'
import { conformance } from '@slotkeeper/testing/conformance'
import { simulate } from '@slotkeeper/testing/simulation'
import { torture } from '@slotkeeper/testing/torture'

const repo: Repository = repository('acme/api', { concurrencyLimit: 2 })
const manager = new Manager({ driver: sqliteDriver({ path: 'slots.db' }) })

export async function once(signal: AbortSignal): Promise<bigint | undefined> {
  const outcome: AcquireOutcome = await manager.acquireSlot({ repository: repo, run: 'acme/one', signal })
  switch (outcome.kind) {
    case 'granted':
      return use(outcome.slot)
    case 'refused':
    case 'held-elsewhere':
      return undefined
  }
}

async function use(slot: Slot): Promise<bigint> {
  slot.signal.throwIfAborted()
  await slot[Symbol.asyncDispose]()
  return slot.fencingToken
}

export function codeOf(error: unknown): ErrorCode | undefined {
  return isSlotkeeperError(error) ? error.code : undefined
}

export class Passing implements Pick<Driver, 'name' | 'transact'> {
  readonly name = 'passing'
  transact(batch: readonly DomainBatch[], _decide: Decide): void {
    for (const one of batch) one.done()
  }
}

export const made: Promise<Manager> = createManager(parseEnvironment({ PAC_ETCD_ENABLED: 'true' }))
export const failing: Driver = faultyDriver(memoryDriver())
export { conformance, simulate, testManager, torture }

// @ts-expect-error a run key has two parts
export const wrong = manager.acquireSlot({ repository: repo, run: 'one' })
// @ts-expect-error whoever asks for a slot says the limit
export const unlimited = manager.acquireSlot({ repository: 'acme/api', run: 'acme/one' })
