import { pause } from './call-options.ts'
import { Channel } from './channel.ts'
import type { Cancel } from './clock.ts'
import type { WatchEvent } from './driver.ts'
import type { Engine } from './engine.ts'
import { type HolderId, type LeaseId, leaseOf, type RepositoryKey, type RunKey } from './keys.ts'
import { Looks, NO_WAITERS } from './looks.ts'
import type { StoreEvent, StoreEventKind } from './rows.ts'
import type { Waiter } from './waiter.ts'

/** Something that happened in a repository; `resync` = some may have been missed, so look for yourself. */
export interface SlotEvent {
  readonly kind: StoreEventKind | 'resync'
  readonly repository: RepositoryKey
  readonly run: RunKey | undefined
  readonly holder: HolderId | undefined
  readonly leaseId: LeaseId | undefined
  readonly slotNumber: number | undefined
  readonly at: Date
  readonly detail: Readonly<Record<string, string | number>> | undefined
}

/** How long the store is asked to tell of a domain; renewed at half of it. */
const WATCH_MS = 120_000

interface Watched {
  users: number
  cancel: Cancel
  /** The store has heard that somebody watches: from then on it tells. */
  heard: boolean
}

const NONE: readonly Waiter[] = []

/** The one stream of hints of a Manager, and everybody here who listens to it. */
export class WatchHub {
  readonly #engine: Engine
  readonly #looks: Looks
  readonly #domains = new Map<RepositoryKey, Watched>()
  readonly #listeners = new Map<RepositoryKey, Set<(event: SlotEvent) => void>>()
  #running = false
  /** The driver's stream has begun: what the store tells reaches this process. */
  #begun = false

  constructor(engine: Engine) {
    this.#engine = engine
    this.#looks = new Looks(engine)
  }

  get isWatching(): boolean {
    return this.#domains.size > 0
  }

  /** Begins to listen to the store; once for a Manager. */
  start(): void {
    if (this.#running) return
    this.#running = true
    void this.#listen()
  }

  /** Has the store tell of this repository's events until cancelled. */
  watchDomain(repository: RepositoryKey): Cancel {
    const known = this.#domains.get(repository)
    if (known !== undefined) known.users++
    else {
      this.#domains.set(repository, { users: 1, cancel: () => {}, heard: false })
      this.#renew(repository)
    }
    this.start()
    let done = false
    return () => {
      const watched = this.#domains.get(repository)
      if (done || watched === undefined) return
      done = true
      if (--watched.users > 0) return
      watched.cancel()
      this.#domains.delete(repository)
    }
  }

  /** Ends every watch. */
  close(): void {
    for (const { cancel } of this.#domains.values()) cancel()
    this.#domains.clear()
    this.#listeners.clear()
  }

  /** Calls back for every event of a repository until cancelled; a throwing callback is logged and called again next time. */
  listen(repository: RepositoryKey, callback: (event: SlotEvent) => void): Cancel {
    const unwatch = this.watchDomain(repository)
    let listeners = this.#listeners.get(repository)
    if (listeners === undefined) {
      listeners = new Set()
      this.#listeners.set(repository, listeners)
    }
    // One entry for each call, so that the same function may listen twice.
    const entry = (event: SlotEvent) => callback(event)
    listeners.add(entry)
    return () => {
      unwatch()
      listeners.delete(entry)
      if (listeners.size === 0) this.#listeners.delete(repository)
    }
  }

  /** The same as an iteration. */
  iterate(repository: RepositoryKey, signal: AbortSignal | undefined): AsyncIterable<SlotEvent> {
    const { closing } = this.#engine
    const end = () => channel.end()
    const channel: Channel<SlotEvent> = new Channel<SlotEvent>({
      limit: 1000,
      overflow: this.#resync(repository),
      onEnd: () => {
        signal?.removeEventListener('abort', end)
        closing.removeEventListener('abort', end)
        cancel()
        stayAlive()
      },
    })
    const stayAlive = this.#engine.clock.keepAlive()
    const cancel = this.listen(repository, (event) => channel.push(event))
    // Else it begins once the store has heard and is heard: what happened before that would be told to nobody.
    if (this.#begun && this.#domains.get(repository)?.heard) channel.push(this.#resync(repository))
    signal?.addEventListener('abort', end, { once: true })
    closing.addEventListener('abort', end, { once: true })
    if (signal?.aborted || closing.aborted) end()
    return channel
  }

  /** Tells those who listen here. */
  tell(event: StoreEvent): void {
    if (this.#listeners.size === 0) return
    const listeners = this.#listeners.get(event.repository)
    if (listeners === undefined) return
    const { kind, repository, run, holder, token, number, at, detail } = event
    const told: SlotEvent = {
      kind,
      repository,
      run,
      holder,
      leaseId: token === undefined || token === 0 ? undefined : leaseOf(token),
      slotNumber: number === undefined || number === 0 ? undefined : number,
      at: new Date(at),
      detail,
    }
    for (const listener of [...listeners]) this.#call(listener, told)
  }

  resyncWaiters(): void {
    this.#looks.addEverybody(false)
  }

  /** Looks at some of those who wait: hints may have been missed without a sign. */
  lookAtSome(): void {
    this.#looks.addSome()
  }

  /** Looks at one who waits. */
  lookAt(waiter: Waiter): void {
    this.#looks.add(new Set([waiter]), false, 'now')
  }

  resyncSlots(): void {
    this.#looks.add(NO_WAITERS, true, 'hints')
  }

  async #listen(): Promise<void> {
    const engine = this.#engine
    const { driver, closing, logger, clock, random } = engine
    for (let failures = 0; !closing.aborted; failures++) {
      try {
        await engine.open()
        for await (const hint of driver.watch({ wants: (event) => this.#wants(event), signal: closing })) {
          failures = 0
          this.#hear(hint)
        }
      } catch (error) {
        logger.warn(
          { event: 'watch-failed', failures: failures + 1, error },
          'the watch failed; starting it again',
        )
      }
      this.#begun = false
      if (closing.aborted) return
      await pause(clock, Math.min(100 * 2 ** failures, 10_000) * (0.5 + random() / 2), closing)
    }
  }

  #wants(event: StoreEvent): boolean {
    return (
      (event.holder !== undefined && event.holder === this.#engine.holder()) ||
      this.#domains.has(event.repository)
    )
  }

  #hear(hint: WatchEvent): void {
    if (hint.kind === 'resync') {
      this.#begun = true
      this.#looks.addEverybody(true)
      for (const [repository, { heard }] of this.#domains) if (heard) this.#tellResync(repository)
      return
    }
    if (hint.kind === 'overdue') return this.#engine.sweepDue()
    const { event } = hint
    this.tell(event)
    const { slots, waitRoom } = this.#engine
    const { repository, run, ticket } = event
    const waiters = run === undefined ? NONE : waitRoom.of(repository, run)
    if (waiters.length > 0) this.#looks.add(new Set(waiters), false, 'hints')
    // A grant that nobody here waits for, as a late duplicate may bring about.
    if (event.kind === 'granted' && event.holder === this.#engine.holder())
      if (!waiters.some((waiter) => waiter.ticket === ticket)) this.#looks.add(NO_WAITERS, true, 'hints')
    const ended =
      event.kind === 'released' ||
      event.kind === 'removed' ||
      event.kind === 'expired' ||
      event.kind === 'orphaned' ||
      event.kind === 'requeued'
    if (ended && event.holder === this.#engine.holder() && slots.size > 0)
      this.#looks.add(NO_WAITERS, true, 'hints')
  }

  #renew(repository: RepositoryKey): void {
    const engine = this.#engine
    const watched = this.#domains.get(repository)
    if (watched === undefined || engine.closing.aborted) return
    watched.cancel = engine.clock.schedule(() => this.#renew(repository), WATCH_MS / 2)
    const command = {
      kind: 'watch',
      repository,
      ticket: engine.ticket(),
      forMs: WATCH_MS,
      outcome: undefined,
    } as const
    void engine.persist(
      `watching ${repository}`,
      () => this.#domains.has(repository),
      async () => {
        await engine.perform(command)
        await engine.keeper.ensure()
        if (watched.heard) return
        watched.heard = true
        if (this.#begun) this.#tellResync(repository)
      },
    )
  }

  #tellResync(repository: RepositoryKey): void {
    for (const listener of [...(this.#listeners.get(repository) ?? [])])
      this.#call(listener, this.#resync(repository))
  }

  #call(listener: (event: SlotEvent) => void, event: SlotEvent): void {
    try {
      listener(event)
    } catch (error) {
      this.#engine.logger.error(
        { event: 'listener-failed', repository: event.repository, error },
        'a callback of a watcher threw',
      )
    }
  }

  #resync(repository: RepositoryKey): SlotEvent {
    const at = new Date(this.#engine.clock.wall())
    const nothing = {
      run: undefined,
      holder: undefined,
      leaseId: undefined,
      slotNumber: undefined,
      detail: undefined,
    }
    return { kind: 'resync', repository, at, ...nothing }
  }
}
