import { InvalidArgumentError, type LossReason, type SlotInfo, SlotLostError } from '@slotkeeper/core'
import { storeFailure as coded } from '@slotkeeper/migrations/connection'
import type pg from 'pg'
import { quoted } from './sql-names.ts'

/** What the function `assert_held` fails with, and how it reads here. */
const NOT_HELD = new Map<unknown, LossReason>([
  ['SK001', 'expired'],
  ['SK002', 'holder-lost'],
])

/** How to find the store. */
export interface AssertHeldOptions {
  /** The schema of the store, which is in the same database. Default: `slotkeeper`. */
  readonly schema?: string
}

/**
 * Fails a transaction of yours unless the slot is still held, and keeps it from being given to anybody else until that transaction ends.
 * What the transaction writes is then written under the slot, or not at all, whatever became of this process meanwhile.
 *
 * Call it before the first write, with a transaction begun; the slot's `release()` is for after its end. While the transaction is open,
 * nobody can end the slot: whoever tries is told that the store is busy. So keep it short. Under `REPEATABLE READ` or `SERIALIZABLE` a
 * conflict with the end of the slot is PostgreSQL's serialization failure (40001), told as `SLOTKEEPER_STORE_BUSY`: roll back and run the
 * whole transaction anew.
 *
 * The role needs `USAGE` on the schema and `EXECUTE` on its function `assert_held`, and no other right.
 * @example
 * await client.query('BEGIN')
 * await assertHeld(client, slot)
 * await client.query('UPDATE deployments SET version = $1 WHERE name = $2', [version, name])
 * await client.query('COMMIT')
 * @throws SlotLostError (`SLOTKEEPER_SLOT_LOST`) when it is not held; the transaction can only be rolled back then
 * @throws InvalidArgumentError (`SLOTKEEPER_INVALID_ARGUMENT`) outside of a transaction
 * @throws StoreError when the database fails, or refuses
 */
export async function assertHeld(
  client: pg.ClientBase,
  slot: Pick<SlotInfo, 'repository' | 'run' | 'fencingToken'>,
  { schema = 'slotkeeper' }: AssertHeldOptions = {},
): Promise<void> {
  const { repository, run, fencingToken } = slot
  const what = `${run} of ${repository}`
  if (client.getTransactionStatus() === 'I')
    throw new InvalidArgumentError(
      `assertHeld for ${what} was called outside of a transaction, where it would keep nothing. Send BEGIN first.`,
    )
  try {
    await client.query({
      text: `SELECT ${quoted(schema)}.assert_held($1, $2, $3::bigint)`,
      values: [repository, run, String(fencingToken)],
    })
  } catch (error) {
    const reason = NOT_HELD.get((error as { code?: unknown }).code)
    if (reason !== undefined)
      throw new SlotLostError(what, reason, `${(error as Error).message}. Roll the transaction back.`)
    throw coded(error, `Whether ${what} holds its slot cannot be found out`)
  }
}
