import { randomUUID } from 'node:crypto'
import {
  type Decide,
  type DomainBatch,
  type Driver,
  type Health,
  type HolderId,
  HolderLostError,
  type HolderTerm,
  InternalError,
  ManagerClosedError,
  type Manifest,
  type Query,
  type Snapshot,
  type Sweep,
  type WatchEvent,
  Watchers,
  type WatchOptions,
} from '@slotkeeper/core/driver'
import { Bell } from './bell.ts'
import { toFailure } from './failure.ts'
import { closeHolder, heartbeat, openHolder } from './holders.ts'
import { News } from './news.ts'
import { openStore } from './open-store.ts'
import { type Settled, type SqliteDriverOptions, settleOptions } from './options.ts'
import { QuietSection } from './quiet-section.ts'
import { readSnapshot } from './read-snapshot.ts'
import type { Store } from './store.ts'
import { sweepStore } from './sweep.ts'
import { type Deciding, transactNow } from './transact.ts'
import { Turns } from './turns.ts'
import { LONGEST_STEP_MS } from './uptime-clock.ts'

const MANIFEST: Manifest = Object.freeze({
  scope: 'host',
  synchronous: false,
  wakes: 'push',
  minimumTtlMs: 500,
  clockLagMs: LONGEST_STEP_MS,
  budget: 512,
  backstopMs: 5000,
})

/**
 * Makes the driver of one SQLite file, which the processes of one machine share: durable, without a server. Nothing is opened, and
 * better-sqlite3 is not loaded, before the Manager opens the driver.
 * @throws SlotkeeperError `SLOTKEEPER_INVALID_ARGUMENT` for an option that cannot be meant
 * @example
 * const manager = new Manager({ driver: sqliteDriver({ path: '/var/lib/acme/slots.db' }) })
 */
export function sqliteDriver(options: SqliteDriverOptions): Driver {
  return new SqliteDriver(settleOptions(options))
}

interface Open {
  readonly store: Store
  readonly bell: Bell
  readonly deciding: Deciding
  readonly watchers: Watchers
}

class SqliteDriver implements Driver {
  readonly name = 'sqlite'
  readonly manifest = MANIFEST
  readonly #options: Settled
  readonly #turns: Turns
  readonly #fail = (error: unknown) => toFailure(error, this.#options.path)
  /** Reached by this package's own tests. */
  private opened: Open | undefined
  #closed = false

  constructor(options: Settled) {
    this.#options = options
    this.#turns = new Turns({ path: options.path, lockTimeoutMs: options.lockTimeoutMs, fail: this.#fail })
  }

  async open({ schema }: { readonly schema: 'migrate' | 'check' }, signal?: AbortSignal): Promise<void> {
    if (this.#closed) throw closed()
    try {
      const store = await openStore(this.#options, schema, this.#turns, signal)
      this.opened = this.#equip(store)
    } catch (error) {
      throw this.#fail(error)
    }
    if (this.#closed) await this.close()
  }

  /** Answers without a promise when the file was free. */
  transact(batch: readonly DomainBatch[], decide: Decide, signal?: AbortSignal): void | Promise<void> {
    try {
      const { deciding } = this.#get()
      return this.#turns.take(() => transactNow(deciding, batch, decide), signal)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async read(query: Query, signal?: AbortSignal): Promise<Snapshot> {
    const { store } = this.#get()
    return this.#turns.take(() => readSnapshot(store, query), signal, true)
  }

  async openHolder(holder: HolderId, ttlMs: number, signal?: AbortSignal): Promise<HolderTerm> {
    return this.#write((store) => openHolder(store, holder, ttlMs), signal)
  }

  async heartbeat(holder: HolderId, signal?: AbortSignal): Promise<HolderTerm> {
    const term = await this.#write((store) => heartbeat(store, holder), signal)
    if (term === undefined) throw new HolderLostError(holder)
    return term
  }

  async closeHolder(holder: HolderId, signal?: AbortSignal): Promise<void> {
    return this.#write((store) => closeHolder(store, holder), signal)
  }

  async sweep(budget: number, signal?: AbortSignal): Promise<Sweep> {
    return this.#write((store) => sweepStore(store, budget), signal)
  }

  watch(options: WatchOptions): AsyncIterable<WatchEvent> {
    return this.#get().watchers.add(options)
  }

  async health(signal?: AbortSignal): Promise<Health> {
    const { store, bell } = this.#get()
    try {
      store.mustBeInPlace()
      const about = await this.#turns.take(() => store.describe(), signal, true)
      const wakes =
        bell.refusal === undefined
          ? 'woken by a watched file'
          : `looking every 200 ms, since the system refuses to watch a file (${bell.refusal})`
      return { ok: true, detail: `${about}, synchronous ${this.#options.synchronous}, ${wakes}` }
    } catch (error) {
      return { ok: false, detail: this.#fail(error).message }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#turns.close()
    const opened = this.opened
    this.opened = undefined
    if (opened === undefined) return
    opened.watchers.close()
    opened.bell.close()
    opened.store.db.close()
  }

  #equip(store: Store): Open {
    try {
      const bell = new Bell(store.path)
      const origin = randomUUID()
      const watchers: Watchers = new Watchers({ onFirst: () => news.start(), onLast: () => news.stop() })
      const news = new News({ store, bell, origin, watchers })
      return {
        store,
        bell,
        watchers,
        deciding: {
          store,
          bell,
          origin,
          manifest: MANIFEST,
          quiet: new QuietSection(store, MANIFEST),
          fail: this.#fail,
        },
      }
    } catch (error) {
      store.db.close()
      throw error
    }
  }

  #write<T>(work: (store: Store) => T, signal: AbortSignal | undefined): T | Promise<T> {
    const { store } = this.#get()
    return this.#turns.take(() => store.write(() => work(store)), signal)
  }

  #get(): Open {
    if (this.opened !== undefined) return this.opened
    throw this.#closed ? closed() : new InternalError('The SQLite driver was used before it was opened.')
  }
}

function closed(): ManagerClosedError {
  return new ManagerClosedError('The SQLite driver is closed. Make a new one to go on.')
}
