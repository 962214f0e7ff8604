// A driver to start from. Replace the store, keep the shape; the places marked `yours:` are left incomplete, and the conformance suite
// says so (json-driver.test.ts has the list). In the order to read: this file, load-facts.ts, json-store.ts, read-snapshot.ts.
import {
  type Decide,
  type DomainBatch,
  type Driver,
  type Health,
  type HolderId,
  HolderLostError,
  type HolderTerm,
  InternalError,
  isAlive,
  isSlotkeeperError,
  ManagerClosedError,
  type Manifest,
  type Query,
  RecordedSection,
  type SlotkeeperError,
  type Snapshot,
  StoreError,
  type Sweep,
  type WatchEvent,
  Watchers,
  type WatchOptions,
} from '@slotkeeper/core/driver'
import type { JsonStore } from './json-store.ts'
import { loadFacts } from './load-facts.ts'
import { readSnapshot } from './read-snapshot.ts'

const MANIFEST: Manifest = Object.freeze({
  scope: 'process',
  synchronous: false,
  wakes: 'push',
  minimumTtlMs: 100,
  clockLagMs: 0,
  budget: 256,
  backstopMs: 500,
})

/** Makes a driver on a store; drivers that are given the same store share its slots. */
export function jsonDriver(options: { readonly store: JsonStore }): Driver {
  return new JsonDriver(options.store)
}

class JsonDriver implements Driver {
  readonly name = 'json'
  readonly manifest = MANIFEST
  readonly #store: JsonStore
  readonly #watchers: Watchers = new Watchers({
    // yours: subscribe, and only then begin. Give what others commit to `#watchers.tell`, until nobody watches any more. (Rule 7)
    onFirst: () => this.#watchers.begin(),
    onLast: () => {},
  })
  #state: 'new' | 'open' | 'closed' = 'new'

  constructor(store: JsonStore) {
    this.#store = store
  }

  async open(): Promise<void> {
    if (this.#state === 'closed') throw closed()
    // yours: connect; make the schema, or with `check` only look at it.
    this.#state = 'open'
  }

  async transact(batch: readonly DomainBatch[], decide: Decide, signal?: AbortSignal): Promise<void> {
    await this.#reach(signal)
    await Promise.all(batch.map((domain) => this.#transactOne(domain, decide, signal)))
  }

  /** Four steps: facts, decide, changes; and on a conflict all of it again. */
  async #transactOne(batch: DomainBatch, decide: Decide, signal: AbortSignal | undefined): Promise<void> {
    try {
      for (;;) {
        const { version, rows } = this.#store.load(batch.domain)
        const facts = loadFacts(this.#store, batch, MANIFEST.budget, rows)
        const section = new RecordedSection(facts, { budget: MANIFEST.budget, by: batch.by })
        const decision = decide(section, batch.commands)
        const changes = section.changes()
        // The way to the store: others commit meanwhile.
        await this.#reach(signal)
        if (!this.#store.commit(batch.domain, version, facts.now, changes)) continue
        batch.decision = decision
        batch.events = changes.events
        return
      }
    } catch (error) {
      batch.error = toFailure(error)
    } finally {
      batch.done()
    }
  }

  async read(query: Query, signal?: AbortSignal): Promise<Snapshot> {
    await this.#reach(signal)
    return readSnapshot(this.#store, query)
  }

  async openHolder(holder: HolderId, ttlMs: number, signal?: AbortSignal): Promise<HolderTerm> {
    await this.#reach(signal)
    const now = this.#store.now()
    this.#store.holders.set(holder, { holder, ttlMs, expiresAt: now + ttlMs, dead: false, epoch: 0 })
    return { now, ttlMs, epoch: 0, sweep: true }
  }

  async heartbeat(holder: HolderId, signal?: AbortSignal): Promise<HolderTerm> {
    await this.#reach(signal)
    const now = this.#store.now()
    const row = this.#store.holders.get(holder)
    // Overdue is as good as dead: somebody may be burying it right now.
    if (row === undefined || !isAlive(row, now)) throw new HolderLostError(holder)
    this.#store.holders.set(holder, { ...row, expiresAt: now + row.ttlMs })
    return { now, ttlMs: row.ttlMs, epoch: row.epoch, sweep: true }
  }

  async closeHolder(holder: HolderId, signal?: AbortSignal): Promise<void> {
    await this.#reach(signal)
    const row = this.#store.holders.get(holder)
    if (row !== undefined) this.#store.holders.set(holder, { ...row, dead: true })
  }

  async sweep(_budget: number, signal?: AbortSignal): Promise<Sweep> {
    await this.#reach(signal)
    // yours: claim up to `budget` domains with overdue rows, a backlog, or a `removed` repository past its `dueAt`; forget records past
    // their `dueAt`, and dead holders that no row names. (Rule 8, and what is forgotten by rule 6)
    return { domains: [], more: false }
  }

  watch(options: WatchOptions): AsyncIterable<WatchEvent> {
    if (this.#state !== 'open') throw closed()
    return this.#watchers.add(options)
  }

  async health(signal?: AbortSignal): Promise<Health> {
    await this.#reach(signal)
    return { ok: true, detail: `${this.#store.domains.length} domains as JSON in this process's memory` }
  }

  async close(): Promise<void> {
    this.#state = 'closed'
    this.#watchers.close()
  }

  /** Stands for the way to the store and back. */
  async #reach(signal: AbortSignal | undefined): Promise<void> {
    this.#mustBeOpen()
    signal?.throwIfAborted()
    await new Promise((resolve) => setImmediate(resolve))
    signal?.throwIfAborted()
    this.#mustBeOpen()
  }

  #mustBeOpen(): void {
    if (this.#state === 'new') throw new InternalError('The JSON driver was used before it was opened.')
    if (this.#state === 'closed') throw closed()
  }
}

function closed(): ManagerClosedError {
  return new ManagerClosedError('The JSON driver is closed.')
}

/** yours: a code for each failure that your store knows: busy, full, read-only, unreachable. What is retryable follows from the code. */
function toFailure(error: unknown): SlotkeeperError {
  if (isSlotkeeperError(error)) return error
  if (error instanceof Error && error.name === 'AbortError')
    return new StoreError('SLOTKEEPER_STORE_UNAVAILABLE', 'The store did not answer in time.', error)
  return new InternalError('The JSON store failed.', error)
}
