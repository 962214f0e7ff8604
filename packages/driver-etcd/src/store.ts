import { type Clock, type HolderId, StoreError } from '@slotkeeper/core/driver'
import type { IRangeResponse, IRequestOp, ITxnResponse } from 'etcd3'
import { isFull } from './failure.ts'
import type { KeySpace } from './keys.ts'
import type { Leaving, Moment } from './load-facts.ts'
import { get } from './operations.ts'
import { rangeOf } from './requests.ts'
import type { StoreClock } from './store-clock.ts'
import type { CallHow, EtcdTransport } from './transport/etcd-transport.ts'

/** How many operations stand before those of whoever reads with the time: the clock's two and the floor. */
export const TIME_OPERATIONS = 3

/** What everything in the driver works on. */
export interface Store {
  readonly transport: EtcdTransport
  readonly keys: KeySpace
  readonly time: StoreClock
  readonly clock: Clock
  /** How many operations a transaction may have. */
  readonly maxOperations: number
  /** The holders that the last sweep found dead. */
  readonly dead: Set<HolderId>
  readonly leaving: Leaving
}

/** What was read at one moment, and when that was. */
export interface Read {
  readonly moment: Moment
  /** The store's revision at that moment. */
  readonly revision: number
  readonly answers: readonly IRangeResponse[]
}

/** Reads in one transaction, together with store time and the token floor. Linearizable. */
export async function readNow(
  { transport, keys, time, clock }: Store,
  operations: readonly IRequestOp[],
  how: CallHow,
): Promise<Read> {
  const ask = async (clock: readonly IRequestOp[]): Promise<[IRequestOp[], ITxnResponse]> => {
    const before = [...clock, get(keys.floor)]
    // The clock only goes up, so a repetition changes nothing that is wrong.
    return [
      before,
      await transport.txn({ success: [...before, ...operations] }, { ...how, repeatable: true }),
    ]
  }
  const [before, response] = await ask(time.operations()).catch((error: unknown) => {
    if (!isFull(error)) throw error
    // What has no room can be read all the same; only its clock stands still.
    return ask([time.read()])
  })
  const answers = response.responses.map(rangeOf)
  if (answers[before.length - 2]?.kvs.length !== 1)
    throw new StoreError(
      'SLOTKEEPER_STORE_CORRUPT',
      `The store below ${keys.prefix} has no clock any more: somebody has deleted its keys. Open it anew, or restore a backup.`,
    )
  const valueAt = (at: number) => Number(answers[at]?.kvs[0]?.value.toString() ?? 0)
  const revision = Number(response.header.revision)
  return {
    moment: {
      now: time.tell(valueAt(before.length - 2)),
      wall: clock.wall(),
      // The revision outlives a removed repository, and grows with every write.
      floor: Math.max(valueAt(before.length - 1), revision),
    },
    revision,
    answers: answers.slice(before.length),
  }
}
