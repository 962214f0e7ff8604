import { SlotkeeperError, systemClock } from '@slotkeeper/core/driver'
import { raise } from './apply-changes.ts'
import { toFailure } from './failure.ts'
import { openStore } from './open-store.ts'
import { get } from './operations.ts'
import { checkOptions, type EtcdDriverOptions, settleOptions } from './options.ts'
import { rangeOf } from './requests.ts'
import { newStore } from './store.ts'

/** A clock that was set so far ahead must not use up the tokens there are. */
const HIGHEST_FLOOR = 2 ** 53 - 2 ** 40

/**
 * Raises the fencing tokens of a whole store above all that were ever granted, to the wall clock of this machine in µs: for an operator who has
 * restored etcd from a backup, which knows nothing of the tokens that were granted after it. Doing it once too often costs nothing.
 * @returns the floor: every token granted from now on is above it
 * @throws SlotkeeperError `SLOTKEEPER_INVALID_ARGUMENT` for options that cannot be meant, or a clock that is centuries ahead
 * @throws StoreError `SLOTKEEPER_SCHEMA_MISSING` where there is no store, and what opening one may throw
 */
export async function raiseTokenFloor(options: EtcdDriverOptions): Promise<bigint> {
  checkOptions(options)
  const floor = Date.now() * 1000
  if (floor > HIGHEST_FLOOR)
    throw new SlotkeeperError(
      'SLOTKEEPER_INVALID_ARGUMENT',
      `The clock of this machine says ${new Date().toISOString()}. Set it first.`,
    )
  const settled = settleOptions(options)
  const timeoutMs = settled.dialTimeoutMs
  const store = newStore(settled, systemClock)
  const { keys, transport } = store
  try {
    await openStore(store, 'check', { timeoutMs, signal: undefined })
    const { responses } = await transport.txn(
      { success: [raise(keys, floor), get(keys.floor)] },
      { timeoutMs, repeatable: true },
    )
    return BigInt(rangeOf(responses[1]).kvs[0]?.value.toString() ?? '0')
  } catch (error) {
    throw toFailure(error, 'The token floor cannot be raised')
  } finally {
    transport.close()
  }
}
