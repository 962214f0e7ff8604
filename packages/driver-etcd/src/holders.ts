import { type HolderId, HolderLostError, type HolderTerm, InternalError } from '@slotkeeper/core/driver'
import { isLeaseGone } from './failure.ts'
import { endOf } from './keys.ts'
import { holderOf } from './load-facts.ts'
import { absent, get, put, range } from './operations.ts'
import { type Read, readNow, type Store } from './store.ts'

/** Makes a new live holder: its key is on a lease of its own, which nothing else is on. */
export async function openHolder(
  { transport, keys, ...rest }: Store,
  holder: HolderId,
  ttlMs: number,
  signal: AbortSignal | undefined,
): Promise<HolderTerm> {
  // The server counts in seconds, and keeps a lease for longer where its elections take longer.
  const { ID: lease } = await transport.leaseGrant(Math.ceil(ttlMs / 1000), { signal })
  const [alive, known] = [keys.alive(holder), keys.holder(holder)]
  const made = await transport.txn(
    {
      compare: [absent(known)],
      success: [put(known, ''), put(alive, String(ttlMs), lease)],
    },
    { signal },
  )
  if (!made.succeeded) {
    await transport.leaseRevoke(lease, { signal })
    throw new InternalError(`Holder ${holder} was opened before.`)
  }
  const term = await ask({ transport, keys, ...rest }, holder, signal)
  if (term === undefined) throw new HolderLostError(holder)
  return term.term
}

/** @throws HolderLostError for a holder that is dead or unknown */
export async function heartbeat(
  store: Store,
  leases: Map<HolderId, string>,
  holder: HolderId,
  signal: AbortSignal | undefined,
): Promise<HolderTerm> {
  const lease = leases.get(holder) ?? (await ask(store, holder, signal))?.lease
  if (lease === undefined) throw new HolderLostError(holder)
  leases.set(holder, lease)
  const seconds = await store.transport.leaseKeepAlive(lease, { signal })
  // Read after it was renewed: the lease of a closed holder is gone, or its key is.
  const found = seconds > 0 ? await ask(store, holder, signal) : undefined
  if (found !== undefined) return found.term
  leases.delete(holder)
  throw new HolderLostError(holder)
}

/** Ends the holder's lease, and with it the holder. */
export async function closeHolder(
  store: Store,
  leases: Map<HolderId, string>,
  holder: HolderId,
  signal: AbortSignal | undefined,
): Promise<void> {
  const lease = (await ask(store, holder, signal))?.lease
  leases.delete(holder)
  if (lease === undefined) return
  try {
    await store.transport.leaseRevoke(lease, { signal })
  } catch (error) {
    // It ran out meanwhile.
    if (!isLeaseGone(error)) throw error
  }
}

/** Reads a holder's standing; `undefined` when it is dead. */
async function ask(
  store: Store,
  holder: HolderId,
  signal: AbortSignal | undefined,
): Promise<{ readonly term: HolderTerm; readonly lease: string } | undefined> {
  const { keys } = store
  const [known, living] = [keys.all('holder'), keys.all('watched/holder')]
  const read: Read = await readNow(
    store,
    [
      get(keys.alive(holder)),
      range(keys.all('wake'), endOf(keys.all('wake')), { limit: 1, keysOnly: true }),
      range(known, endOf(known), { countOnly: true }),
      range(living, endOf(living), { countOnly: true }),
    ],
    { signal },
  )
  const [own, wakes, all, alive] = read.answers
  const kv = own?.kvs[0]
  const row = holderOf(holder, kv)
  if (kv === undefined || row === undefined) return undefined
  const { now } = read.moment
  const first = wakes?.kvs[0]
  const isDue = first !== undefined && first.key.toString() < keys.wakeUntil(now)
  return {
    lease: kv.lease,
    term: {
      now,
      ttlMs: Number(kv.value.toString()),
      epoch: row.epoch,
      sweep: isDue || Number(all?.count) > Number(alive?.count),
    },
  }
}
