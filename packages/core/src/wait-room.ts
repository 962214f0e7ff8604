import { backOffMs } from './batcher.ts'
import { pause } from './call-options.ts'
import type { AcquireCommand, AcquireResult } from './commands.ts'
import type { AwaitedRow } from './decide/transitions.ts'
import type { RunRef } from './driver.ts'
import type { Engine } from './engine.ts'
import {
  AlreadyHeldError,
  CallTimeoutError,
  isSlotkeeperError,
  ManagerClosedError,
  SupersededError,
  WaitTimeoutError,
} from './errors.ts'
import type { HolderId, RepositoryKey, RunKey } from './keys.ts'
import type { LocalSlot } from './local-slot.ts'
import { describeRepository } from './repository.ts'
import type { RunRow } from './rows.ts'
import { RunIndex } from './run-index.ts'
import { nameOf, refused } from './slot-refusal.ts'
import { acquireCommand, isPlain, PlainAcquire, type SlotRequest } from './slot-request.ts'
import { StoreCall } from './store-call.ts'
import { Vigil } from './vigil.ts'
import { type Awaited, Waiter } from './waiter.ts'

/** Those who wait for slots, and what wakes them: a commit of this Manager, a hint of the store, or a look of their own now and then. */
export class WaitRoom {
  readonly #engine: Engine
  readonly #waiters = new RunIndex<Waiter>()
  readonly #vigil: Vigil

  constructor(engine: Engine) {
    this.#engine = engine
    this.#vigil = new Vigil(engine)
  }

  get size(): number {
    return this.#waiters.size
  }

  /** Everybody, in no order. */
  all(): readonly Waiter[] {
    return this.#waiters.all()
  }

  /** So many of them, others each time. */
  some(count: number): readonly Waiter[] {
    return this.#waiters.some(count)
  }

  /** Those of them that wait in the store, as far as is known here, and whose rows are to be read to know more. */
  idle(of: readonly Waiter[]): readonly Waiter[] {
    const holder = this.#engine.holder()
    return of.filter((waiter) => !waiter.asking && !waiter.isSettled && !waiter.isSeenWaiting(holder))
  }

  /** News of these came, or of all: those that ask right now look again once they have their answers. */
  hint(of: ReadonlySet<Waiter> | 'all'): void {
    for (const waiter of of === 'all' ? this.#waiters.all() : of) if (waiter.asking) waiter.hinted = true
  }

  /** The runs that are waited for. */
  get runs(): readonly RunRef[] {
    return this.#waiters.all().map(({ repository, run }) => ({ repository, run }))
  }

  has(repository: RepositoryKey, run: RunKey, ticket: string): boolean {
    return this.#waiters.ofTicket(repository, run, ticket) !== undefined
  }

  /** Who waits for a run. */
  of(repository: RepositoryKey, run: RunKey): readonly Waiter[] {
    return this.#waiters.of(repository, run)
  }

  /** Queues until granted; answers at once where a synchronous store grants at once. */
  wait(request: SlotRequest): LocalSlot | Promise<LocalSlot> {
    const engine = this.#engine
    const from = describeRepository(request?.repository)
    const row: AwaitedRow | undefined = engine.acquireAtOnce(request, from, 'wait')
    if (row !== undefined) {
      if (row.phase === 'running') return engine.acquired(row, false, 0, from.inHand)
      const waiter = this.#enter(row, request)
      waiter.row = row
      waiter.from = from
      waiter.inHand = from.inHand
      if (!isPlain(request))
        waiter.command = { ...acquireCommand(engine, request, 'wait'), ticket: waiter.ticket }
      row.caller = waiter
      this.#supersedeOlder(waiter)
      return waiter.promise
    }
    const command = acquireCommand(engine, request, 'wait')
    if (engine.synchronous) {
      const result = engine.perform(command, request) as AcquireResult
      if (result.kind === 'granted') return engine.acquired(result.row, result.again, 0)
      const waiter = this.#enter(command, request)
      waiter.command = command
      this.#answered(waiter, result)
      return waiter.promise
    }
    if (engine.isClosed) throw new ManagerClosedError()
    request.signal?.throwIfAborted()
    const waiter = this.#enter(command, request)
    waiter.command = command
    void this.#ask(waiter, false)
    return waiter.promise
  }

  /** An entry got its slot in a commit of this Manager. */
  granted(row: AwaitedRow): void {
    if (this.#waiters.size === 0) return
    const { caller } = row
    if (caller instanceof Waiter && caller.ticket === row.ticket && this.#waiters.has(caller))
      return this.#examine(caller, row)
    const waiter = this.#waiters.ofTicket(row.repository, row.run, row.ticket)
    if (waiter !== undefined) this.#examine(waiter, row)
  }

  /** Compares what the store has with those who waited when it was read. */
  look(waiters: readonly Waiter[], rows: readonly RunRow[]): void {
    const known = new Map(rows.map((row) => [`${row.repository}/${row.run}`, row]))
    for (const waiter of waiters) {
      const { repository, run } = waiter
      if (!waiter.asking && !waiter.isSettled) this.#examine(waiter, known.get(`${repository}/${run}`))
    }
  }

  /** The holder that entries hung on is gone: they are asked for again, by the same tickets, so that they keep their places. */
  holderLost(holder: HolderId): void {
    for (const waiter of this.#waiters.all())
      if (!waiter.durable && !waiter.asking && waiter.holder === holder) void this.#ask(waiter, true)
  }

  /** Ends all waits; the entries are withdrawn. */
  close(): void {
    // One for all: an error knows where it was made, which takes longer than ending a wait.
    const error = new ManagerClosedError('The Manager was closed while a slot was waited for.')
    for (const waiter of this.#waiters.all()) this.#leave(waiter, error)
  }

  #enter(of: Awaited, options: { readonly signal?: AbortSignal; readonly timeoutMs?: number }): Waiter {
    const { clock, hub, tells } = this.#engine
    const waiter = new Waiter(of, tells ? clock.monotonic() : 0, this.#left)
    this.#waiters.add(waiter)
    const { signal, timeoutMs } = options
    if (signal !== undefined) {
      const abort = () => this.#leave(waiter, signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      waiter.also(() => signal.removeEventListener('abort', abort))
    }
    if (timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY)
      waiter.also(
        clock.schedule(() => this.#leave(waiter, new WaitTimeoutError(nameOf(waiter), timeoutMs)), timeoutMs),
      )
    // A reservation belongs to nobody, so its news comes only to those who watch.
    if (waiter.durable) waiter.also(hub.watchDomain(waiter.repository))
    this.#vigil.begin()
    this.#tellSize()
    return waiter
  }

  readonly #left = (waiter: Waiter): void => {
    this.#waiters.remove(waiter)
    if (waiter.row?.caller === waiter) waiter.row.caller = undefined
    this.#tellSize()
    if (this.#waiters.size === 0) this.#vigil.end()
  }

  #tellSize(): void {
    const { tells, metrics } = this.#engine
    if (tells) metrics.gauge('slotkeeper_waiters', this.#waiters.size, {})
  }

  /** Asks the store; again after failures, saying so, for as long as the caller waits. `joined`: it waits in the store already. */
  async #ask(waiter: Waiter, joined: boolean): Promise<void> {
    const engine = this.#engine
    waiter.asking = true
    for (let attempt = 0; !waiter.isSettled; attempt++) {
      try {
        waiter.command ??= this.#plainCommand(waiter)
        const call = new StoreCall(engine, waiter.command, undefined)
        // Once it is settled, what it asks is not wanted any more.
        waiter.also(() => call.abort(undefined))
        const result = await call.promise
        waiter.asking = false
        this.#answered(waiter, result)
        return
      } catch (error) {
        if (waiter.isSettled) return
        // A caller who was never in the queue is told within the call's time; a place that was held is not given up so easily.
        if (!joined || !isSlotkeeperError(error) || !error.retryable) {
          this.#leave(waiter, error)
          return
        }
        await pause(engine.clock, 10 * backOffMs(attempt, engine.random), engine.closing)
      }
    }
  }

  #answered(waiter: Waiter, result: AcquireResult): void {
    switch (result.kind) {
      case 'granted':
        this.#supersede(waiter, result.replaced)
        this.#supersedeOlder(waiter)
        return this.#grant(waiter, result.row)
      case 'waiting':
        // The holder that it was enqueued with may be another than the one that this waiter began with.
        if (!waiter.durable && result.row.holder !== undefined) waiter.holder = result.row.holder
        this.#supersede(waiter, result.replaced)
        this.#supersedeOlder(waiter)
        // Lost while the answer was under way.
        if (!waiter.durable && waiter.holder !== this.#engine.holder()) return void this.#ask(waiter, true)
        if (waiter.hinted) this.#engine.hub.lookAt(waiter)
        waiter.hinted = false
        return
      case 'superseded':
        return this.#supersede(waiter, waiter.ticket)
      case 'already-held':
        waiter.reject(new AlreadyHeldError(nameOf(waiter)))
        return
      case 'held-elsewhere':
        waiter.reject(
          refused(
            waiter,
            'held-elsewhere',
            result.holder === undefined
              ? 'Nobody keeps it alive; adoptSlot takes it over.'
              : `Holder ${result.holder} has it.`,
          ),
        )
        return
      case 'refused':
        waiter.reject(refused(waiter, result.reason))
        return
      case 'holder-dead':
      case 'too-late':
        this.#leave(waiter, new CallTimeoutError(nameOf(waiter), this.#engine.callTimeoutMs))
    }
  }

  /** A newer wait for the same run took over the place of an older one. */
  #supersede({ repository, run }: Waiter, ticket: string | undefined): void {
    if (ticket === undefined) return
    const older = this.#waiters.ofTicket(repository, run, ticket)
    older?.reject(new SupersededError(nameOf(older)))
  }

  /** Of several waits of this Manager for one durable run the newest goes on; the entry keeps the ticket that it was made with. */
  #supersedeOlder(waiter: Waiter): void {
    if (!waiter.durable) return
    const same = this.#waiters.of(waiter.repository, waiter.run)
    const newest = same.reduce((a, b) => (a.ticket > b.ticket ? a : b), waiter)
    for (const older of same) {
      if (older === newest) continue
      newest.inherit(older)
      this.#supersede(waiter, older.ticket)
    }
  }

  /** What a row in the store means for the one who waits for it. */
  #examine(waiter: Waiter, row: RunRow | undefined): void {
    if (row !== undefined && row.phase === 'reserved' && waiter.durable) return void this.#claim(waiter, row)
    const mine = row !== undefined && (row.ticket === waiter.ticket || row.grantedTo === waiter.ticket)
    if (row !== undefined && mine && row.phase === 'running' && row.holder === this.#engine.holder())
      return this.#grant(waiter, row)
    if (row !== undefined && row.phase === 'waiting') {
      if (waiter.durable || (mine && row.holder === this.#engine.holder())) return
      if (!mine && row.holder === this.#engine.holder()) return this.#supersede(waiter, waiter.ticket)
    }
    if (row !== undefined && mine && row.phase === 'record' && row.ending === 'removed')
      return void waiter.reject(refused(waiter, 'removed'))
    // Its entry ended with an earlier holder, or the answer that this look rests on is older than the entry: asking tells.
    if (!waiter.asking) void this.#ask(waiter, true)
  }

  /** The command of a waiter whose plain request never was one. */
  #plainCommand({ repository, run, ticket, from }: Waiter): AcquireCommand {
    const command = new PlainAcquire(this.#engine.options)
    if (from !== undefined) command.proposal = from.proposal
    return Object.assign(command, { repository, run, ticket, mode: 'wait' })
  }

  async #claim(waiter: Waiter, row: RunRow): Promise<void> {
    const engine = this.#engine
    if (waiter.asking) return
    waiter.asking = true
    try {
      const slot = engine.slotOf(row)
      const outcome = await engine.slotCalls.claim(slot)
      waiter.asking = false
      if (outcome.kind === 'running') {
        if (waiter.isSettled) await engine.slotCalls.requeue(slot)
        else waiter.resolve(slot)
      } else if (outcome.kind === 'held-elsewhere')
        waiter.reject(refused(waiter, 'held-elsewhere', `Holder ${outcome.holder} claimed it first.`))
    } catch (error) {
      waiter.asking = false
      engine.logger.warn(
        { event: 'claim-failed', run: waiter.run, error },
        'a reservation could not be claimed',
      )
    }
  }

  #grant(waiter: Waiter, row: RunRow): void {
    if (waiter.isSettled) return
    const { tells, clock } = this.#engine
    const waitedMs = tells ? clock.monotonic() - waiter.since : 0
    // What was read is a copy; only the row itself can be released at once.
    const { row: own } = waiter
    const inHand = own?.token === row.token && own.phase === 'running' ? waiter.inHand : undefined
    waiter.resolve(
      this.#engine.acquired(own !== undefined && inHand !== undefined ? own : row, false, waitedMs, inHand),
    )
  }

  /** The caller is gone: whatever its ticket led to is taken back. */
  #leave(waiter: Waiter, error: unknown): void {
    const { repository, run, ticket, durable } = waiter
    if (!waiter.reject(error)) return
    for (const of of [ticket, ...waiter.inherited])
      this.#engine.slotCalls.withdraw({ repository, run, ticket: of })
    if (durable) this.#engine.logger.debug({ event: 'withdrawn', repository, run }, 'gave up waiting')
  }
}
