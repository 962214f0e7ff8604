import { type HolderId, HolderLostError, type HolderTerm, InternalError } from '@slotkeeper/core/driver'
import type { IRequestOp } from 'etcd3'
import { isLeaseGone } from './failure.ts'
import { endOf } from './keys.ts'
import { holderOf } from './load-facts.ts'
import { absent, get, keyOf, nested, put, range } from './operations.ts'
import { readNow, type Store } from './store.ts'

/** Makes a new live holder: its key is on a lease of its own, which nothing else is on. */
export async function openHolder(
  store: Store,
  holder: HolderId,
  ttlMs: number,
  signal: AbortSignal | undefined,
): Promise<HolderTerm> {
  const { transport, keys } = store
  // Read before the server begins to count, so that by store time nobody dies too early.
  const { moment } = await readNow(store, [], { signal })
  // The server counts in seconds, and keeps a lease for longer where its elections take longer.
  const { ID: lease } = await transport.leaseGrant(Math.ceil(ttlMs / 1000), { signal })
  const known = keys.holder(holder)
  const make = nested({
    compare: [absent(known)],
    success: [put(known, ''), put(keys.alive(holder), String(ttlMs), lease)],
  })
  try {
    const found = await ask(store, holder, signal, [make])
    if (found?.lease === lease) return { ...found.term, now: moment.now }
    throw new InternalError(`Holder ${holder} was opened before.`)
  } catch (error) {
    // Nobody waits for it: where the store is away the lease runs out by itself.
    transport.leaseRevoke(lease, {}).catch(() => {})
    throw error
  }
}

/** @throws HolderLostError for a holder that is dead or unknown */
export async function heartbeat(
  store: Store,
  holder: HolderId,
  signal: AbortSignal | undefined,
): Promise<HolderTerm> {
  // Store time is read before the server begins to count anew, so that by it nobody dies too early.
  const found = await ask(store, holder, signal)
  if (found !== undefined && (await store.transport.leaseKeepAlive(found.lease, { signal })) > 0)
    return found.term
  throw new HolderLostError(holder)
}

/** Ends the holder's lease, and with it the holder. */
export async function closeHolder(
  store: Store,
  holder: HolderId,
  signal: AbortSignal | undefined,
): Promise<void> {
  const lease = (await ask(store, holder, signal))?.lease
  if (lease === undefined) return
  store.living.note(holder, undefined)
  try {
    await store.transport.leaseRevoke(lease, { signal })
  } catch (error) {
    // It ran out meanwhile.
    if (!isLeaseGone(error)) throw error
  }
}

/** Reads a holder's standing, after `first` was done; `undefined` when it is dead. */
async function ask(
  store: Store,
  holder: HolderId,
  signal: AbortSignal | undefined,
  first: readonly IRequestOp[] = [],
): Promise<{ readonly term: HolderTerm; readonly lease: string } | undefined> {
  const { keys } = store
  const [known, living] = [keys.all('holder'), keys.all('watched/holder')]
  const read = await readNow(
    store,
    [
      ...first,
      get(keys.alive(holder)),
      range(keys.all('wake'), keys.wakeUntil(store.time.counted()), { limit: 1, keysOnly: true }),
      range(known, endOf(known), { countOnly: true }),
      range(living, endOf(living), { countOnly: true }),
    ],
    { signal },
  )
  const [own, wakes, all, alive] = read.answers.slice(first.length)
  const kv = own?.kvs[0]
  const row = holderOf(holder, kv)
  store.living.note(holder, row)
  if (kv === undefined || row === undefined) return undefined
  const { now } = read.moment
  const wake = wakes?.kvs[0]
  const isDue = wake !== undefined && keyOf(wake) < keys.wakeUntil(now)
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
