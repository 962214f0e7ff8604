import { InvalidArgumentError, type SlotInfo } from '@slotkeeper/core'
import type { ICompare } from 'etcd3'
import { slotText } from './apply-changes.ts'
import { KeySpace } from './keys.ts'
import { exists, isValue } from './operations.ts'
import { DEFAULT_PREFIX } from './options.ts'

/** How to find the store. */
export interface WhileHeldOptions {
  /** The prefix of the store, which is in the same cluster. Default: `/slotkeeper`. */
  readonly prefix?: string
}

/**
 * Conditions for a transaction of yours on the same cluster: they hold as long as the slot is held, with its fencing token and by a holder that is
 * alive. What the transaction writes is then written under the slot, or not at all, whatever became of this process meanwhile: look at `succeeded`.
 *
 * The user needs the right to read the keys below the prefix.
 * @example
 * const { succeeded } = await etcd.kv.txn({
 *   compare: whileHeld(slot),
 *   success: [{ request_put: { key: Buffer.from('/deployed'), value: Buffer.from(version) } }],
 * })
 * @throws InvalidArgumentError (`SLOTKEEPER_INVALID_ARGUMENT`) for a slot that nobody holds: reserved or orphaned
 */
export function whileHeld(
  slot: Pick<SlotInfo, 'repository' | 'run' | 'holder' | 'fencingToken'>,
  { prefix = DEFAULT_PREFIX }: WhileHeldOptions = {},
): ICompare[] {
  const { repository, run, holder, fencingToken } = slot
  if (holder === undefined)
    throw new InvalidArgumentError(
      `whileHeld for ${run} of ${repository} needs a slot that somebody holds. Claim or adopt it first.`,
    )
  const keys = new KeySpace(prefix)
  return [
    isValue(keys.slot(repository, run), slotText({ phase: 'running', token: Number(fencingToken) })),
    exists(keys.alive(holder)),
  ]
}
