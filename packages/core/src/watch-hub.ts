import { pause } from './call-options.ts'
import { Channel } from './channel.ts'
import type { Cancel } from './clock.ts'
import type { WatchEvent } from './driver.ts'
import type { Engine } from './engine.ts'
import { type HolderId, type LeaseId, leaseOf, type RepositoryKey, type RunKey } from './keys.ts'
import type { RunRow, StoreEvent, StoreEventKind } from './rows.ts'
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

/** What is to be looked at in the store: these waiters or all of them, the slots in hand or not. */
interface Look {
  readonly waiters: ReadonlySet<Waiter> | 'all'
  readonly slots: boolean
}

const NONE: readonly Waiter[] = []
const NO_WAITERS: ReadonlySet<Waiter> = new Set()

/** The one stream of hints of a Manager, and everybody here who listens to it. */
export class WatchHub {
  readonly #engine: Engine
  readonly #domains = new Map<RepositoryKey, Watched>()
  readonly #listeners = new Map<RepositoryKey, Set<(event: SlotEvent) => void>>()
  #running = false
  /** The driver's stream has begun: what the store tells reaches this process. */
  #begun = false
  #looking: Look | undefined

  constructor(engine: Engine) {
    this.#engine = engine
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
    this.#look('all', false)
  }

  resyncSlots(): void {
    this.#look(NO_WAITERS, true)
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
      this.#look('all', true)
      for (const [repository, { heard }] of this.#domains) if (heard) this.#tellResync(repository)
      return
    }
    const { event } = hint
    this.tell(event)
    const { slots, waitRoom } = this.#engine
    const { repository, run, ticket } = event
    const waiters = run === undefined ? NONE : waitRoom.of(repository, run)
    if (waiters.length > 0) this.#look(new Set(waiters), false)
    // A grant that nobody here waits for, as a late duplicate may bring about.
    if (event.kind === 'granted' && event.holder === this.#engine.holder())
      if (!waiters.some((waiter) => waiter.ticket === ticket)) this.#look(NO_WAITERS, true)
    const ended =
      event.kind === 'released' ||
      event.kind === 'removed' ||
      event.kind === 'expired' ||
      event.kind === 'orphaned' ||
      event.kind === 'requeued'
    if (ended && event.holder === this.#engine.holder() && slots.size > 0) this.#look(NO_WAITERS, true)
  }

  /** Looks at the store once for everything that was asked for in this tick. */
  #look(waiters: ReadonlySet<Waiter> | 'all', slots: boolean): void {
    this.#engine.waitRoom.hint(waiters)
    if (this.#looking !== undefined) {
      this.#looking = {
        waiters:
          waiters === 'all' || this.#looking.waiters === 'all'
            ? 'all'
            : new Set([...this.#looking.waiters, ...waiters]),
        slots: slots || this.#looking.slots,
      }
      return
    }
    this.#looking = { waiters, slots }
    queueMicrotask(() => {
      const look = this.#looking
      this.#looking = undefined
      if (look === undefined || this.#engine.closing.aborted) return
      this.#engine.persist(
        'a look at the store',
        () => true,
        () => this.#read(look),
      )
    })
  }

  async #read({ waiters, slots }: Look): Promise<void> {
    const engine = this.#engine
    const { driver, waitRoom, keeper } = engine
    const waiting = waitRoom.idle(waiters)
    if (waiting.length > 0) {
      const named = waiting.map(({ repository, run }) => ({ repository, run }))
      const { runs } = await engine.read('Looking at waiting runs', undefined, (signal) =>
        driver.read({ kind: 'runs', runs: named }, signal),
      )
      waitRoom.look(waiting, runs)
    }
    const { holder } = keeper
    if (!slots || holder === undefined) return
    // Slots granted while the store is read are not in what it answers.
    const before = engine.slots.all()
    const { runs } = await engine.read('Looking at slots', undefined, (signal) =>
      driver.read({ kind: 'holder', holder }, signal),
    )
    if (keeper.holder !== holder) return
    const inStore = new Set(runs.map((row) => `${row.grantedTo ?? row.ticket} ${row.token}`))
    for (const slot of before)
      if (slot.holder === holder && engine.slots.has(slot) && !inStore.has(`${slot.ticket} ${slot.token}`))
        slot.lose('removed')
    // An answer that arrived with the same packet may not have reached its caller yet.
    await new Promise((resolve) => setImmediate(resolve))
    for (const row of runs) {
      if (row.phase !== 'running' || this.#isKnown(row)) continue
      engine.logger.warn(
        { event: 'unknown-slot', repository: row.repository, run: row.run },
        'the store has a slot of this holder that nobody here asked for; withdrawing it',
      )
      engine.withdrawUnknown(row.repository, row.run, row.grantedTo ?? row.ticket, () => !this.#isKnown(row))
    }
  }

  #isKnown(row: RunRow): boolean {
    const { slots, waitRoom, asking } = this.#engine
    const { repository, run, ticket, grantedTo } = row
    const tickets = grantedTo === undefined ? [ticket] : [ticket, grantedTo]
    return tickets.some(
      (of) =>
        slots.ofTicket(repository, run, of) !== undefined ||
        waitRoom.has(repository, run, of) ||
        asking.has(of),
    )
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
    engine.persist(
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
