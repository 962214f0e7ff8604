import { setMaxListeners } from 'node:events'
import { Batcher, type BatcherHost, backOffMs, type Entry } from './batcher.ts'
import { CallLimits } from './call-limits.ts'
import { CallList } from './call-list.ts'
import { type CallOptions, checkCallOptions, pause, within } from './call-options.ts'
import type { Clock } from './clock.ts'
import type { Command } from './commands.ts'
import { createDecide } from './decide/decide.ts'
import { DirectCalls } from './direct-calls.ts'
import type { DomainBatch, Driver } from './driver.ts'
import { Endings } from './endings.ts'
import { CallTimeoutError, isSlotkeeperError, ManagerClosedError, type SlotkeeperError } from './errors.ts'
import type { HolderKeeper } from './holder-keeper.ts'
import { checkKey, type HolderId, type RepositoryKey, type RunKey } from './keys.ts'
import { type Logger, silentLogger } from './logger.ts'
import { type ManagerOptions, type ResolvedOptions, resolveOptions } from './manager-options.ts'
import { type MetricLabels, type Metrics, silentMetrics } from './metrics.ts'
import { randomId } from './random-id.ts'
import { isSlot, type RunRow } from './rows.ts'
import type { Decide } from './section.ts'
import { type CallHost, type OutcomeOf, StoreCall } from './store-call.ts'
import { ticketSource } from './ticket.ts'

/** Commands by which slots end: they are let through while a Manager closes. */
const ENDINGS: ReadonlySet<Command['kind']> = new Set(['release', 'requeue', 'withdraw', 'finish'])

/** How long opening a store may take, before the next call begins it anew; a call waits for it no longer than for anything else. */
const OPEN_MS = 10_000

/** The way of a command to the store and back, and of a question: opened once, limited in time, asked again after failures that pass. */
export abstract class StoreCalls implements BatcherHost, CallHost {
  readonly options: ResolvedOptions
  readonly driver: Driver
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly random: () => number
  readonly callTimeoutMs: number
  /** The driver answers without promises. */
  readonly synchronous: boolean
  readonly decide: Decide
  readonly ticket: () => string
  /** Somebody listens to what is logged or counted. */
  readonly tells: boolean
  /** On every measurement. */
  readonly labels: MetricLabels
  /** Calls whose answers are awaited. */
  readonly asking: CallLimits
  /** What was asked to end, and was not heard yet. */
  readonly endings = new Endings()
  abstract readonly keeper: HolderKeeper
  /** Set once the Manager closes: new calls are refused. */
  protected refusing = false
  protected readonly ending = new AbortController()
  readonly #batcher: Batcher
  readonly #direct: DirectCalls
  readonly #background = new Set<Promise<void>>()
  #opened = false
  #opening: Promise<void> | undefined

  constructor(options: ManagerOptions) {
    this.options = resolveOptions(options)
    const { driver, clock, logger, metrics, random, callTimeoutMs, recordTtlMs } = this.options
    this.driver = driver
    this.clock = clock
    this.logger = logger
    this.metrics = metrics
    this.tells = logger !== silentLogger || metrics !== silentMetrics
    this.labels = { driver: driver.name }
    this.random = random
    this.callTimeoutMs = callTimeoutMs
    this.synchronous = driver.manifest.synchronous
    this.decide = createDecide({ recordTtlMs })
    this.ticket = ticketSource(randomId(random))
    this.#batcher = new Batcher(this)
    this.#direct = new DirectCalls(this)
    // Every call under way listens to it.
    setMaxListeners(0, this.ending.signal)
    this.asking = new CallLimits(this.clock, this.ending.signal)
  }

  abstract committed(batch: DomainBatch): void
  /** A commit of this Manager may have happened of which it had no answer. */
  abstract doubted(): void

  /** Aborts when the Manager's connections end. */
  get closing(): AbortSignal {
    return this.ending.signal
  }

  get isClosed(): boolean {
    return this.refusing
  }

  /** The store was opened, and new calls are not refused. */
  protected get isOpen(): boolean {
    return this.#opened && !this.refusing
  }

  holder(): HolderId | undefined {
    return this.keeper.holder
  }

  /** Opens the store at the first call. Synchronous where the driver is. */
  open(): void | Promise<void> {
    if (this.#opened) return
    if (this.#opening !== undefined) return this.#opening
    const stop = new AbortController()
    const opened = this.driver.open({ schema: this.options.schema, logger: this.logger }, stop.signal)
    if (!(opened instanceof Promise)) {
      this.#opened = true
      return
    }
    const ms = Math.max(this.callTimeoutMs, OPEN_MS)
    const expired = () => new CallTimeoutError('Opening the store', ms)
    const limits = { clock: this.clock, ms, expired, signals: [this.closing] }
    this.#opening = within(opened, limits).then(
      () => {
        this.#opened = true
      },
      (error) => {
        // The next call tries again.
        this.#opening = undefined
        stop.abort(error)
        throw error
      },
    )
    return this.#opening
  }

  /**
   * Sends a command and gives its outcome; at once where the driver is synchronous. Asks again, with the same ticket, after failures
   * that may pass, until the time is over: a commit of unknown outcome is found out that way.
   */
  perform<C extends Command>(command: C, options?: CallOptions): OutcomeOf<C> | Promise<OutcomeOf<C>> {
    this.checkCall(ENDINGS.has(command.kind), options)
    return this.synchronous ? this.performNow(command) : this.performLater(command, options)
  }

  /** @throws ManagerClosedError, InvalidArgumentError, or the reason of a signal that aborted before anything was asked */
  checkCall(ending: boolean, options: CallOptions | undefined): void {
    if (this.refusing) this.checkOpen(ending)
    if (options === undefined) return
    checkCallOptions(options)
    options.signal?.throwIfAborted()
  }

  /**
   * The same for commands of one repository that belong together: decided in their order, in as few commits as the store allows. When one
   * fails for good, so do those after it, which would otherwise pass it.
   */
  async performAll<C extends Command>(
    commands: readonly C[],
    options?: CallOptions,
  ): Promise<readonly PromiseSettledResult<OutcomeOf<C>>[]> {
    this.checkOpen()
    checkCallOptions(options)
    options?.signal?.throwIfAborted()
    if (!this.synchronous) return this.#performList(commands, options)
    void this.open()
    const holder = this.keeper.ensure() as HolderId
    for (const command of commands) if ('holder' in command) command.holder = holder
    if (commands[0] !== undefined) this.#direct.decideAll(commands[0].repository, commands)
    return commands.map(({ outcome }) => ({ status: 'fulfilled', value: outcome as OutcomeOf<C> }))
  }

  /** Piece by piece, each as much as one commit may take. */
  async #performList<C extends Command>(
    commands: readonly C[],
    options: CallOptions | undefined,
  ): Promise<readonly PromiseSettledResult<OutcomeOf<C>>[]> {
    const { budget } = this.driver.manifest
    const results: PromiseSettledResult<OutcomeOf<C>>[] = []
    let failure: PromiseRejectedResult | undefined
    for (let at = 0; at < commands.length && failure === undefined; at += budget) {
      const piece = commands.slice(at, at + budget)
      const list = new CallList(piece.length)
      const calls = piece.map((command) => new StoreCall(this, command, options, list).promise)
      results.push(...(await Promise.allSettled(calls)))
      failure = results.find((result) => result.status === 'rejected')
    }
    while (failure !== undefined && results.length < commands.length) results.push(failure)
    return results
  }

  /** @throws ManagerClosedError once the Manager closes; `ending`: what ends a slot may go on until the connections end */
  checkOpen(ending = false): void {
    if (this.closing.aborted || (this.refusing && !ending)) throw new ManagerClosedError()
  }

  /** The same, for synchronous drivers. */
  performNow<C extends Command>(command: C): OutcomeOf<C> {
    if (!this.#opened) void this.open()
    for (let attempt = 0; ; attempt++) {
      // Nothing can be late within one process, so `validUntil` stays 0.
      if (command.kind === 'acquire' || command.kind === 'claim' || command.kind === 'adopt')
        command.holder = this.keeper.ensure() as HolderId
      this.#direct.decideOne(command)
      const outcome = command.outcome as OutcomeOf<C>
      if (outcome.kind !== 'holder-dead' || attempt > 0) return outcome
      this.keeper.giveUp('holder-lost')
    }
  }

  /** The same for drivers that take their time; also goes on while the Manager closes, for what must be tidied up. */
  performLater<C extends Command>(asked: C, options?: CallOptions): Promise<OutcomeOf<C>> {
    return new StoreCall(this, asked, options).promise
  }

  ready(needsHolder: boolean, now: number): HolderId | undefined | Promise<HolderId | undefined> {
    const opened = this.open()
    if (opened instanceof Promise) return opened.then(() => this.ready(needsHolder, this.clock.monotonic()))
    return needsHolder ? this.keeper.ensure(now) : undefined
  }

  endingOf(command: Command, outcome: Command['outcome']): Promise<void> | undefined {
    // Only who takes a slot or a place is given one.
    if (!('holder' in command) || outcome === undefined || !('row' in outcome)) return undefined
    const { ticket } = command
    const { row } = outcome
    const isOwn = (isSlot(row.phase) ? (row.grantedTo ?? row.ticket) : row.ticket) === ticket
    return isOwn ? undefined : this.endings.of(row.repository, row.run)
  }

  validUntil(timeoutMs: number, now: number): number {
    // Slack, because store time may be told a heartbeat late.
    return (
      this.keeper.storeNow(now) + timeoutMs + this.options.holderTtlMs / 3 + this.driver.manifest.clockLagMs
    )
  }

  send(entry: Entry): void {
    this.#batcher.add(entry.command.repository, entry)
  }

  holderDead(holder: HolderId | undefined): void {
    this.keeper.giveUp('holder-lost', holder)
  }

  failed({ kind, repository }: Command, attempt: number, error: SlotkeeperError): void {
    const { code } = error
    this.metrics.count('slotkeeper_store_errors_total', { ...this.labels, code })
    this.logger.warn(
      { event: 'store-error', command: kind, repository, attempt, code, error },
      'the store failed; asking again',
    )
  }

  /** Reads, or fails within the call's time. */
  async read<T>(
    what: string,
    options: CallOptions | undefined,
    read: (signal: AbortSignal) => T | Promise<T>,
  ): Promise<T> {
    this.checkOpen()
    checkCallOptions(options)
    options?.signal?.throwIfAborted()
    const timeoutMs = options?.timeoutMs ?? this.callTimeoutMs
    const controller = new AbortController()
    const go = async () => {
      await this.open()
      return await read(controller.signal)
    }
    try {
      return await within(go(), {
        clock: this.clock,
        ms: timeoutMs,
        expired: () => new CallTimeoutError(what, timeoutMs),
        signals: [options?.signal, this.closing],
      })
    } catch (error) {
      controller.abort(error)
      throw error
    }
  }

  /** One run's row, or `undefined`. */
  async readRun(repository: RepositoryKey, run: RunKey, options?: CallOptions): Promise<RunRow | undefined> {
    checkKey(run, 'run')
    const { runs } = await this.read(`Reading ${repository} ${run}`, options, (signal) =>
      this.driver.read({ kind: 'runs', runs: [{ repository, run }] }, signal),
    )
    return runs[0]
  }

  /** Decides for a domain without commands. */
  nudge(domain: string): void {
    if (this.closing.aborted) return
    if (!this.synchronous) this.#batcher.nudge(domain)
    else this.#direct.decideAll(domain, [])
  }

  /**
   * Tries again in the background while it is wanted and the Manager is open, saying so each time. Resolves when it was done, and when it
   * is not tried any more.
   */
  persist(what: string, wanted: () => boolean, attempt: () => Promise<unknown>): Promise<void> {
    const loop = async () => {
      for (let failures = 0; wanted() && !this.closing.aborted; failures++) {
        try {
          await attempt()
          return
        } catch (error) {
          this.logger.warn({ event: 'retrying', what, failures: failures + 1, error }, `${what} failed`)
          if (!isSlotkeeperError(error) || !error.retryable) return
          await pause(this.clock, 10 * backOffMs(failures, this.random), this.closing)
        }
      }
    }
    const task = loop().finally(() => this.#background.delete(task))
    this.#background.add(task)
    return task
  }

  /** Ends the connections' calls, and waits for what was under way. */
  protected async endCalls(): Promise<void> {
    this.ending.abort(new ManagerClosedError())
    await Promise.allSettled([...this.#background])
  }

  /** Waits for what goes on in the background, but no longer than a call may take. */
  protected async settleBackground(): Promise<void> {
    const all = Promise.allSettled([...this.#background]).then(() => {})
    await within(all, {
      clock: this.clock,
      ms: this.callTimeoutMs,
      expired: () => undefined,
      signals: [],
    }).catch(() => {
      this.logger.warn(
        { event: 'close-hurried', pending: this.#background.size },
        'closing although the store has not heard everything',
      )
    })
  }
}
