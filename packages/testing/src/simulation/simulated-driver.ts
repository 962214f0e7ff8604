import {
  Channel,
  type Command,
  type Decide,
  type Decision,
  type DomainBatch,
  type Driver,
  type Health,
  type HolderId,
  type HolderTerm,
  InternalError,
  isSlotkeeperError,
  ManagerClosedError,
  type Manifest,
  type Query,
  RecordedSection,
  type Snapshot,
  type StoreEvent,
  type Sweep,
  type WatchEvent,
  type WatchOptions,
} from '@slotkeeper/core/driver'
import { copyBatch } from '../faults/copy-batch.ts'
import type { Call } from './coverage.ts'
import type { FakeStore, Loaded } from './fake-store.ts'
import type { Wire } from './network.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** What drivers of one world share. */
export interface DriverHost {
  readonly store: FakeStore
  readonly manifest: Manifest
  readonly storeIsUp: boolean
  /** `locked`: load, decide and commit are one request. `optimistic`: the process decides between two requests, and the guard may have moved. */
  readonly mode: 'locked' | 'optimistic'
  /** Somebody else's commit told of events; `calls` brought them about. */
  tell(from: SimulatedDriver, events: readonly StoreEvent[], calls: readonly Call[]): void
  commits(as: SimulatedProcess | undefined, work: () => boolean): boolean
  /** `attempts`: how often it was tried since the last one was opened. */
  opened(holder: HolderId, by: SimulatedDriver, attempts: number): void
  broken(message: string): void
}

const HINTS = 64

/** The driver of one process: it takes the path of every driver of a real store, over wires that the seed cuts. */
export class SimulatedDriver implements Driver {
  readonly name = 'simulated'
  readonly manifest: Manifest
  readonly wire: Wire
  /** How far its view of store time lags behind. */
  readonly lagMs: number
  closed = false
  readonly #host: DriverHost
  #openings = 0
  #watch: { readonly channel: Channel<WatchEvent>; readonly wants: WatchOptions['wants'] } | undefined

  constructor(host: DriverHost, wire: Wire, lagMs: number) {
    this.#host = host
    this.manifest = host.manifest
    this.wire = wire
    this.lagMs = lagMs
  }

  open(): Promise<void> {
    this.#check()
    return this.wire.request(['read'], () => {})
  }

  async transact(batch: readonly DomainBatch[], decide: Decide, signal?: AbortSignal): Promise<void> {
    this.#check()
    await Promise.all(batch.map((domain) => this.#transactOne(domain, decide, signal)))
  }

  async read(query: Query, signal?: AbortSignal): Promise<Snapshot> {
    this.#check()
    return this.wire.request(['read'], () => this.#host.store.read(query, this.lagMs), signal)
  }

  async openHolder(holder: HolderId, ttlMs: number, signal?: AbortSignal): Promise<HolderTerm> {
    this.#check()
    const attempts = ++this.#openings
    const open = () => {
      this.#openings = 0
      const term = this.#host.store.openHolder(holder, ttlMs, this.lagMs)
      this.#host.opened(holder, this, attempts)
      return term
    }
    return this.wire.request(['open-holder'], open, signal)
  }

  async heartbeat(holder: HolderId, signal?: AbortSignal): Promise<HolderTerm> {
    this.#check()
    return this.wire.request(['heartbeat'], () => this.#host.store.heartbeat(holder, this.lagMs), signal)
  }

  async closeHolder(holder: HolderId, signal?: AbortSignal): Promise<void> {
    this.#check()
    return this.wire.request(['close-holder'], () => this.#host.store.closeHolder(holder), signal)
  }

  async sweep(budget: number, signal?: AbortSignal): Promise<Sweep> {
    this.#check()
    return this.wire.request(['sweep'], () => this.#host.store.sweep(budget, this.lagMs), signal)
  }

  async health(signal?: AbortSignal): Promise<Health> {
    this.#check()
    return this.wire.request(['read'], () => ({ ok: true, detail: 'simulated' }), signal)
  }

  async *watch(options: WatchOptions): AsyncGenerator<WatchEvent, void> {
    this.#check()
    await this.wire.request(['read'], () => {}, options.signal)
    const stop = () => channel.end()
    const channel = new Channel<WatchEvent>({ limit: HINTS, overflow: { kind: 'resync' } })
    this.#watch = { channel, wants: options.wants }
    options.signal.addEventListener('abort', stop, { once: true })
    channel.push({ kind: 'resync' })
    try {
      yield* channel
    } finally {
      options.signal.removeEventListener('abort', stop)
      if (this.#watch?.channel === channel) this.#watch = undefined
    }
  }

  close(): void {
    this.closed = true
    this.#watch?.channel.end()
    this.#watch = undefined
  }

  get isWatching(): boolean {
    return this.#watch !== undefined
  }

  /** A hint arrives. */
  hear(event: StoreEvent): void {
    if (this.#watch?.wants(event)) this.#watch.channel.push({ kind: 'event', event })
  }

  /** Hints may have been missed. */
  resync(): void {
    this.#watch?.channel.push({ kind: 'resync' })
  }

  /** The connection of the watch broke: its reader begins another one, with a resync. */
  breakWatch(): void {
    this.#watch?.channel.end()
  }

  async #transactOne(batch: DomainBatch, decide: Decide, signal: AbortSignal | undefined): Promise<void> {
    const calls = batch.commands.length === 0 ? (['tidy'] as const) : batch.commands.map(callOf)
    const sent = copyOf(batch)
    this.wire.trap(calls)
    if (this.wire.strikes('duplicate', calls, 0.5)) this.#deliverLater(batch, decide, calls)
    try {
      const { mode } = this.#host
      if (mode === 'locked')
        await this.wire.request(calls, () => this.#decideAndCommit(sent, decide, calls), signal)
      else await this.#optimistic(sent, decide, calls, signal)
      batch.decision = sent.decision
      batch.events = sent.events
      for (const [at, command] of batch.commands.entries())
        command.outcome = (sent.commands[at] as Command).outcome as never
    } catch (error) {
      batch.error = isSlotkeeperError(error)
        ? error
        : new InternalError('The simulated transaction failed.', error)
      if (batch.error.code === 'SLOTKEEPER_INTERNAL')
        this.#host.broken(String(batch.error.cause ?? batch.error))
      // What the commit told of may have been missed, if there was one.
      this.resync()
    }
    batch.done()
  }

  /** Where the guard is held from the loading to the commit. */
  #decideAndCommit(batch: DomainBatch, decide: Decide, calls: readonly Call[]): void {
    const { store } = this.#host
    const loaded = store.load(batch, this.lagMs)
    if (!this.#commit(batch, loaded, decide, calls)())
      this.#host.broken(`${batch.domain}: a commit under its own guard failed`)
  }

  async #optimistic(
    batch: DomainBatch,
    decide: Decide,
    calls: readonly Call[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { store } = this.#host
    for (;;) {
      const loaded = await this.wire.request(calls, () => store.load(batch, this.lagMs), signal)
      const commit = this.#commit(batch, loaded, decide, calls)
      if (await this.wire.request(calls, commit, signal)) return
      this.wire.met('conflict', calls)
    }
  }

  /** Decides; what it gives back commits. */
  #commit(batch: DomainBatch, loaded: Loaded, decide: Decide, calls: readonly Call[]): () => boolean {
    const { store } = this.#host
    const { facts } = loaded
    const section = new RecordedSection(facts, {
      budget: this.manifest.budget,
      by: batch.by,
      clockLagMs: this.manifest.clockLagMs,
    })
    const decision: Decision = decide(section, batch.commands)
    const changes = section.changes()
    if (section.left < 0)
      this.#host.broken(`${batch.domain}: a decision changed ${-section.left} rows more than its budget`)
    return () => {
      if (!this.#host.commits(this.wire.of, () => store.commit(batch, loaded, changes))) return false
      batch.decision = decision
      batch.events = changes.events
      if (changes.notify) this.#host.tell(this, changes.events, calls)
      return true
    }
  }

  /** The network delivers the same request once more, when nobody waits for its answer any longer. */
  #deliverLater(batch: DomainBatch, decide: Decide, calls: readonly Call[]): void {
    const again = copyOf(batch)
    const { scheduler } = this.wire.of
    scheduler.after(
      this.wire.latency() + (this.wire.random.chance(0.5) ? this.wire.extraDelay() * 2 : 0),
      () => {
        if (this.#host.storeIsUp) this.#decideAndCommit(again, decide, calls)
      },
      undefined,
      true,
    )
  }

  #check(): void {
    if (this.closed) throw new ManagerClosedError('The simulated driver is closed.')
  }
}

function copyOf(batch: DomainBatch): DomainBatch {
  return copyBatch([batch])[0] as DomainBatch
}

/** A command as coverage counts it. */
function callOf(command: Command): Call {
  // To a driver it is one more small change of a record.
  if (command.kind === 'forget') return 'run-state'
  return command.kind === 'acquire' ? `acquire-${command.mode}` : command.kind
}
