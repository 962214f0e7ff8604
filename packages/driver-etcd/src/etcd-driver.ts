import { randomBytes } from 'node:crypto'
import {
  type Clock,
  type Decide,
  type DomainBatch,
  type Driver,
  type Health,
  type HolderId,
  type HolderTerm,
  InternalError,
  type Logger,
  ManagerClosedError,
  type Manifest,
  type OpenOptions,
  type Query,
  type Snapshot,
  type Sweep,
  silentLogger,
  systemClock,
  type WatchEvent,
  Watchers,
  type WatchOptions,
} from '@slotkeeper/core/driver'
import type { Deciding } from './call.ts'
import { toFailure } from './failure.ts'
import { Hints } from './hints.ts'
import { closeHolder, heartbeat, openHolder } from './holders.ts'
import { endOf } from './keys.ts'
import { openStore } from './open-store.ts'
import { checkOptions, type EtcdDriverOptions, settleOptions } from './options.ts'
import { readSnapshot } from './read-snapshot.ts'
import { readTold } from './read-told.ts'
import { SharedDomains } from './shared-domains.ts'
import { newStore, readNow, type Store } from './store.ts'
import { COUNTED_MS, STEP_MS } from './store-clock.ts'
import { sweepStore } from './sweep.ts'
import { TimeKeeper } from './time-keeper.ts'
import { transact } from './transact.ts'
import { protocol } from './transport/protocol.ts'
import { WatchStream } from './transport/watch-stream.ts'

/** How long after a sweep that did not find the end the next one is asked for. */
const NEXT_SWEEP_MS = 20
/** Those of a commit that are not a row's. */
const OTHER_OPERATIONS = 10
/** What a changed row costs mostly; where it is more, fewer rows are changed at once. */
const OPERATIONS_PER_ROW = 3

function manifestOf(maxOperations: number): Manifest {
  return Object.freeze({
    scope: 'network',
    synchronous: false,
    wakes: 'push',
    // Leases are counted in seconds, and one second is no longer than an election may take.
    minimumTtlMs: 2000,
    // Who has just come begins with the key, which others may have left as it is for so long; and leases are of the server's clock.
    clockLagMs: COUNTED_MS + 2 * STEP_MS,
    budget: Math.floor((maxOperations - OTHER_OPERATIONS) / OPERATIONS_PER_ROW),
    backstopMs: 5000,
  })
}

/**
 * Makes the driver of an etcd cluster, which everybody who can reach it shares. Nothing is connected before the Manager opens it.
 * @throws SlotkeeperError `SLOTKEEPER_INVALID_ARGUMENT` for an option that cannot be meant
 * @example
 * const manager = new Manager({ driver: etcdDriver({ endpoints: ['etcd-0.example:2379', 'etcd-1.example:2379'] }) })
 */
export function etcdDriver(options: EtcdDriverOptions): Driver {
  checkOptions(options)
  // Read now, so that nobody's first call waits for it.
  protocol()
  return new EtcdDriver(options)
}

interface Open {
  readonly store: Store
  readonly deciding: Deciding
  readonly watchers: Watchers
  readonly hints: Hints
  readonly stream: WatchStream
  readonly timeKeeper: TimeKeeper
}

class EtcdDriver implements Driver {
  readonly name = 'etcd'
  readonly manifest: Manifest
  readonly #options: EtcdDriverOptions
  readonly #clock: Clock
  #opened: Open | undefined
  #closed = false

  constructor(options: EtcdDriverOptions & { readonly clock?: Clock }) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.manifest = manifestOf(options.maxOperations ?? 128)
  }

  async open({ schema, logger = silentLogger }: OpenOptions, signal?: AbortSignal): Promise<void> {
    if (this.#closed) throw closed()
    const opened = this.#equip(logger)
    try {
      const timeoutMs = this.#options.dialTimeoutMs ?? 5000
      await openStore(opened.store, schema, { timeoutMs, signal })
      this.#opened = opened
    } catch (error) {
      opened.store.transport.close()
      throw signal?.aborted === true ? signal.reason : toFailure(error, 'The store cannot be opened')
    }
    if (this.#closed) await this.close()
  }

  async transact(batch: readonly DomainBatch[], decide: Decide, signal?: AbortSignal): Promise<void> {
    await transact(this.#get().deciding, batch, decide, signal)
  }

  read(query: Query, signal?: AbortSignal): Promise<Snapshot> {
    return this.#call(
      'The store cannot be read',
      signal,
      async (store) => readTold(this.#get().deciding, query) ?? readSnapshot(store, query, signal),
    )
  }

  async openHolder(holder: HolderId, ttlMs: number, signal?: AbortSignal): Promise<HolderTerm> {
    const term = await this.#call('A holder cannot be opened', signal, (store) =>
      openHolder(store, holder, ttlMs, signal),
    )
    this.#opened?.timeKeeper.keep(term.ttlMs)
    return term
  }

  async heartbeat(holder: HolderId, signal?: AbortSignal): Promise<HolderTerm> {
    const term = await this.#call('A heartbeat failed', signal, (store) => heartbeat(store, holder, signal))
    this.#opened?.timeKeeper.keep(term.ttlMs)
    return term
  }

  closeHolder(holder: HolderId, signal?: AbortSignal): Promise<void> {
    return this.#call('A holder cannot be closed', signal, (store) => closeHolder(store, holder, signal))
  }

  async sweep(budget: number, signal?: AbortSignal): Promise<Sweep> {
    const swept = await this.#call('A sweep failed', signal, (store) => sweepStore(store, budget, signal))
    // What was claimed is settled first; nobody waits for the next heartbeat to go on.
    if (swept.more) this.#opened?.hints.overdue(NEXT_SWEEP_MS)
    return swept
  }

  watch(options: WatchOptions): AsyncIterable<WatchEvent> {
    return this.#get().watchers.add(options)
  }

  async health(signal?: AbortSignal): Promise<Health> {
    const { store } = this.#get()
    try {
      await readNow(store, [], { signal })
      const { version } = await store.transport.status({ signal })
      return { ok: true, detail: `etcd ${version}, keys below ${store.keys.prefix}` }
    } catch (error) {
      return { ok: false, detail: toFailure(error, 'The store cannot be read').message }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const opened = this.#opened
    this.#opened = undefined
    if (opened === undefined) return
    opened.watchers.close()
    opened.hints.close()
    opened.timeKeeper.stop()
    opened.stream.stop()
    opened.store.transport.close()
  }

  async #call<T>(
    doing: string,
    signal: AbortSignal | undefined,
    work: (store: Store) => Promise<T>,
  ): Promise<T> {
    const { store } = this.#get()
    try {
      return await work(store)
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : toFailure(error, doing)
    }
  }

  #equip(logger: Logger): Open {
    const store = newStore(settleOptions(this.#options), this.#clock)
    const { keys } = store
    const origin = randomBytes(9).toString('base64url')
    const watchers: Watchers = new Watchers({
      origin,
      onFirst: () => stream.start(),
      onLast: () => stream.stop(),
    })
    const shared: SharedDomains = new SharedDomains(store, origin, {
      follow: (key) => stream.follow(key),
      unfollow: (key) => stream.unfollow(key),
    })
    const hints = new Hints(keys, watchers, shared)
    const stream = new WatchStream(store.transport, {
      from: keys.all('watched'),
      to: endOf(keys.all('watched')),
      begin: () => {
        shared.restart()
        watchers.begin()
      },
      pause: () => watchers.pause(),
      event: (event) => hints.hear(event),
      followed: (event) => shared.hear(event),
      logger,
    })
    const { manifest } = this
    const limits = { budget: manifest.budget }
    const deciding = { store, manifest, limits, origin, shared }
    return { store, deciding, watchers, hints, stream, timeKeeper: new TimeKeeper(store) }
  }

  #get(): Open {
    if (this.#opened !== undefined) return this.#opened
    throw this.#closed ? closed() : new InternalError('The etcd driver was used before it was opened.')
  }
}

function closed(): ManagerClosedError {
  return new ManagerClosedError('The etcd driver is closed. Make a new one to go on.')
}
