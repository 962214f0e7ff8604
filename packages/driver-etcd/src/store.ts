import { type Clock, type HolderId, StoreError } from '@slotkeeper/core/driver'
import type { IRangeResponse, IRequestOp, ITxnResponse } from 'etcd3'
import { isFull } from './failure.ts'
import { KeySpace } from './keys.ts'
import { Living } from './living.ts'
import type { Leaving } from './load-facts.ts'
import { Memory } from './memory.ts'
import { get } from './operations.ts'
import type { Settled } from './options.ts'
import { rangeOf } from './requests.ts'
import { STEP_MS, StoreClock } from './store-clock.ts'
import { type CallHow, EtcdTransport } from './transport/etcd-transport.ts'

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
  readonly memory: Memory
  readonly living: Living
  /** The latest moment that this process knows of. */
  latest: Moment
  /** The highest revision that this process has seen. */
  revision: number
}

/** When something was asked, by the monotonic clock, and the highest revision that had been seen by then. */
export interface Since {
  readonly at: number
  readonly revision: number
}

/** The moment that facts are of. */
export interface Moment {
  readonly now: number
  readonly wall: number
  /** Every new token is above this. */
  readonly floor: number
  /** What the key of the token floor said; nothing where there is none. */
  readonly floorText: string | undefined
}

/** What was read at one moment, and when that was. */
export interface Read {
  readonly moment: Moment
  /** The store's revision at that moment. */
  readonly revision: number
  readonly answers: readonly IRangeResponse[]
}

/** A store that nobody has looked at yet. */
export function newStore(settled: Settled, clock: Clock): Store {
  const keys = new KeySpace(settled.prefix)
  return {
    transport: new EtcdTransport(settled),
    keys,
    time: new StoreClock(clock, keys),
    clock,
    maxOperations: settled.maxOperations,
    dead: new Set(),
    leaving: { domain: undefined, runs: [] },
    memory: new Memory(),
    living: new Living(),
    latest: { now: 0, wall: 0, floor: 0, floorText: undefined },
    revision: 0,
  }
}

/** Reads in one transaction, together with store time and the token floor. Linearizable. */
export async function readNow(store: Store, operations: readonly IRequestOp[], how: CallHow): Promise<Read> {
  const { transport, time } = store
  const ask = (before: readonly IRequestOp[]): Promise<ITxnResponse> =>
    // The clock only goes up, so a repetition changes nothing that is wrong.
    transport.txn(
      { success: [...before, ...momentOperations(store), ...operations] },
      { ...how, repeatable: true },
    )
  const now = time.standing()
  const before = time.isBehind(now) ? [time.raise(now, STEP_MS)] : []
  const since = sinceNow(store)
  let skipped = before.length
  const response = await ask(before).catch((error: unknown) => {
    if (!isFull(error)) throw error
    // What has no room can be read all the same; only its clock stands still.
    skipped = 0
    return ask([])
  })
  return readOf(store, response, since, skipped)
}

/** What reads the moment: it stands before what is read at that moment. */
export function momentOperations({ time, keys }: Store): IRequestOp[] {
  return [time.read(), get(keys.floor)]
}

/** For what is asked now. */
export function sinceNow({ clock, revision }: Store): Since {
  return { at: clock.monotonic(), revision }
}

/**
 * Notes the revision of an answer. The store is another one, restored from a backup, where it is below one that was seen before it was asked, or
 * where the token floor is another one: then revisions come again with other content, so nothing is remembered.
 */
export function noteRevision(
  store: Store,
  since: Since,
  revision: number,
  floorText = store.latest.floorText,
): void {
  if (revision >= since.revision && floorText === store.latest.floorText) {
    store.revision = Math.max(store.revision, revision)
    return
  }
  store.revision = revision
  store.memory.clear()
  store.living.clear()
  store.leaving.domain = undefined
}

/** What was read behind `momentOperations`, which is behind so many other operations. */
export function readOf(store: Store, { responses, header }: ITxnResponse, since: Since, skipped = 0): Read {
  const { keys, time, clock } = store
  const answers = responses.slice(skipped).map(rangeOf)
  const [now, floor] = answers
  if (now?.kvs.length !== 1)
    throw new StoreError(
      'SLOTKEEPER_STORE_CORRUPT',
      `The store below ${keys.prefix} has no clock any more: somebody has deleted its keys. Open it anew, or restore a backup.`,
    )
  const revision = Number(header.revision)
  const floorText = floor?.kvs[0]?.value.toString()
  noteRevision(store, since, revision, floorText)
  store.latest = {
    now: time.tell(Number(now.kvs[0]?.value.toString()), since.at),
    wall: clock.wall(),
    // The revision outlives a removed repository, and grows with every write.
    floor: Math.max(Number(floorText ?? 0), revision),
    floorText,
  }
  return { moment: store.latest, revision, answers: answers.slice(2) }
}

/** The moment as far as it can be told without a look; `isTimely` and `isFloor` are what it supposes. */
export function supposedMoment({ latest, time, clock }: Store): Moment {
  return { ...latest, now: time.standing(), wall: clock.wall() }
}
