import type { CallOptions } from './call-options.ts'
import { within } from './call-options.ts'
import type { ClaimResult, ReleaseResult, RequeueResult, WithdrawCommand } from './commands.ts'
import type { DomainBatch, DomainInHand, Driver } from './driver.ts'
import { CallTimeoutError, type LossReason, type RefusalReason, SlotkeeperError } from './errors.ts'
import { HolderKeeper, type KeeperHost } from './holder-keeper.ts'
import { InHandCalls } from './in-hand-calls.ts'
import type { HolderId, RepositoryKey, RunKey } from './keys.ts'
import { LocalSlot } from './local-slot.ts'
import type { ManagerOptions } from './manager-options.ts'
import type { ClaimOutcome, ReleaseOutcome, RequeueOutcome } from './outcomes.ts'
import type { DescribedRepository } from './repository.ts'
import type { FinalState, RunRow } from './rows.ts'
import { RunIndex } from './run-index.ts'
import type { SlotRequest } from './slot-request.ts'
import { StoreCalls } from './store-calls.ts'
import { WaitRoom } from './wait-room.ts'
import { WatchHub } from './watch-hub.ts'

const taken = new WeakSet<Driver>()

/** The commonest outcome of a release, and the promise of it: both the same for everybody. */
const PASSED_TO_NOBODY: ReleaseOutcome = Object.freeze({ kind: 'released', promoted: Object.freeze([]) })
const RELEASED = Promise.resolve(PASSED_TO_NOBODY)

/** How many domains one round of sweeping claims. */
const SWEEP_BUDGET = 64

/** What the Manager and its parts share: one driver, one holder, the slots in hand, those who wait, and those who watch. */
export class Engine extends StoreCalls implements KeeperHost {
  readonly label: string
  readonly ttlMs: number
  readonly keeper: HolderKeeper
  readonly waitRoom: WaitRoom
  readonly hub: WatchHub
  /** Slots in hand. */
  readonly slots = new RunIndex<LocalSlot>()
  /** Where the store is this process's own memory. */
  readonly #atOnce: InHandCalls | undefined
  #sweeping = false
  #onEmpty: (() => void) | undefined

  constructor(options: ManagerOptions) {
    super(options)
    const { driver, label, holderTtlMs } = this.options
    if (taken.has(driver))
      throw new SlotkeeperError(
        'SLOTKEEPER_DRIVER_IN_USE',
        `This ${driver.name} driver already belongs to a Manager. Make a driver for each; drivers on one store share its slots.`,
      )
    taken.add(driver)
    this.label = label
    this.ttlMs = holderTtlMs
    this.keeper = new HolderKeeper(this)
    this.hub = new WatchHub(this)
    this.waitRoom = new WaitRoom(this)
    this.#atOnce = driver.inHand && new InHandCalls(this, driver.inHand)
  }

  /** Told of every commit of this Manager: its promotions resolve waiters here without asking the store. */
  committed(batch: DomainBatch): void {
    const { domain, decision, events } = batch
    if (decision === undefined) return
    // Most commits bring neither.
    if (decision.granted.length > 0) for (const row of decision.granted) this.waitRoom.granted(row)
    if (events.length > 0) for (const event of events) this.hub.tell(event)
    if (this.synchronous && decision.more) setImmediate(() => this.nudge(domain))
  }

  /**
   * Acquires where nothing has to be decided: gives the row, `running` or `waiting`. `undefined` = it is a command for `perform`, and
   * nothing was changed.
   * @throws what `perform` throws before it asks the store
   */
  acquireAtOnce(request: SlotRequest, from: DescribedRepository, mode: 'try' | 'wait'): RunRow | undefined {
    if (this.#atOnce === undefined || !this.isOpen) return undefined
    return this.#atOnce.acquire(request, from, mode)
  }

  /** The slot of a granted row: the one in hand, or a new one. */
  slotOf(row: RunRow): LocalSlot {
    const known = this.#inHand(row)
    if (known !== undefined) return known
    return this.#newSlot(row)
  }

  #inHand(row: RunRow): LocalSlot | undefined {
    const known = this.slots.ofTicket(row.repository, row.run, row.grantedTo ?? row.ticket)
    return known?.token === row.token ? known : undefined
  }

  #newSlot(row: RunRow, inHand?: DomainInHand): LocalSlot {
    const slot = new LocalSlot(this, row, inHand)
    if (slot.phase === 'running') this.keep(slot)
    return slot
  }

  /** A slot is in hand. */
  keep(slot: LocalSlot): void {
    this.slots.add(slot)
    if (this.tells) this.metrics.gauge('slotkeeper_slots_held', this.slots.size, {})
  }

  refused(repository: RepositoryKey, run: RunKey, reason: RefusalReason): void {
    if (!this.tells) return
    this.metrics.count('slotkeeper_refused_total', { ...this.labels, reason })
    this.logger.debug({ event: 'refused', repository, run, reason }, 'refused a slot')
  }

  /** The slot of a row that was just granted to a caller, with the news of it. `waitedMs`: how long the caller waited. */
  acquired(row: RunRow, again: boolean, waitedMs: number, inHand?: DomainInHand): LocalSlot {
    if (this.tells) {
      const { repository, run, holder } = row
      this.metrics.count('slotkeeper_acquired_total', this.labels)
      this.metrics.observe('slotkeeper_wait_seconds', waitedMs / 1000, this.labels)
      this.logger.info({ event: 'acquired', repository, run, holder, again, waitedMs }, 'acquired a slot')
    }
    // In one process nobody else can have been told of a new grant.
    return this.synchronous && !again ? this.#newSlot(row, inHand) : this.slotOf(row)
  }

  /** Loses every slot of the holder when its deadline has passed. */
  checkDeadline(slot: LocalSlot): void {
    if (slot.holder !== this.keeper.holder) slot.lose('holder-lost')
    else if (this.keeper.isPast()) this.keeper.giveUp('deadline', slot.holder)
  }

  slotLost(slot: LocalSlot, reason: LossReason): void {
    this.forget(slot)
    this.metrics.count('slotkeeper_lost_total', { ...this.labels, reason })
    this.logger.error(
      { event: 'slot-lost', repository: slot.repository, run: slot.run, reason },
      'a slot was lost',
    )
  }

  async claim(slot: LocalSlot, options?: CallOptions): Promise<ClaimOutcome> {
    const outcome: ClaimResult = await this.perform(
      {
        kind: 'claim',
        repository: slot.repository,
        run: slot.run,
        token: slot.token,
        ticket: this.ticket(),
        holder: '' as HolderId,
        validUntil: 0,
        outcome: undefined,
      },
      options,
    )
    if (outcome.kind === 'running') {
      const known = this.#inHand(outcome.row)
      // Another call of this Manager claimed it: the run must not be started twice.
      if (known !== undefined && known !== slot)
        return { kind: 'held-elsewhere', holder: known.holder, since: known.acquiredAt }
      slot.claimed(outcome.row)
      this.keep(slot)
      return { kind: 'running' }
    }
    if (outcome.kind === 'held-elsewhere')
      return { kind: 'held-elsewhere', holder: outcome.holder, since: new Date(outcome.since) }
    if (outcome.kind === 'lost') return outcome
    throw new CallTimeoutError('A claim', this.callTimeoutMs)
  }

  async requeue(
    slot: LocalSlot,
    options?: CallOptions & { readonly delayMs?: number },
  ): Promise<RequeueOutcome> {
    slot.end('requeued')
    this.forget(slot)
    const outcome: RequeueResult = await this.perform(
      {
        kind: 'requeue',
        repository: slot.repository,
        run: slot.run,
        token: slot.token,
        ticket: this.ticket(),
        delayMs: options?.delayMs ?? 0,
        outcome: undefined,
      },
      options,
    )
    if (outcome.kind === 'not-durable')
      throw new SlotkeeperError(
        'SLOTKEEPER_NOT_DURABLE',
        `${slot.repository} ${slot.run} is a worker's slot: it can only be released.`,
      )
    return outcome.kind === 'requeued' ? { kind: 'requeued', place: outcome.place } : outcome
  }

  /** Ends a slot in hand. When the store cannot be told, the slot stays in hand, and may be released again. */
  releaseSlot(
    slot: LocalSlot,
    options?: CallOptions & { readonly state?: FinalState },
  ): Promise<ReleaseOutcome> {
    try {
      const outcome = this.#endSlot(slot, options)
      return outcome === PASSED_TO_NOBODY ? RELEASED : Promise.resolve(outcome)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #endSlot(
    slot: LocalSlot,
    options: (CallOptions & { readonly state?: FinalState }) | undefined,
  ): ReleaseOutcome | Promise<ReleaseOutcome> {
    slot.end('released')
    const next = this.#releaseAtOnce(slot, options)
    if (next !== undefined) {
      this.#ended(slot)
      if (this.tells) this.#tellReleased(slot.repository, slot.run, 'released')
      if (next === slot.row) return PASSED_TO_NOBODY
      this.waitRoom.granted(next)
      return { kind: 'released', promoted: [next.run] }
    }
    // It stays in hand until the store has heard, so that it may be released again, and closing waits for it.
    const answer = this.release(slot.repository, slot, options)
    if (!(answer instanceof Promise)) {
      this.#ended(slot)
      return answer
    }
    return answer.then((outcome) => {
      this.#ended(slot)
      return outcome
    })
  }

  /** The row that got its place, its own where nobody did; `undefined` = it is a command for `perform`, and nothing was changed. */
  #releaseAtOnce(
    slot: LocalSlot,
    options: (CallOptions & { readonly state?: FinalState }) | undefined,
  ): RunRow | undefined {
    if (this.#atOnce === undefined || this.refusing) return undefined
    if (options !== undefined) this.checkCall(true, options)
    const state = options?.state ?? 'completed'
    return this.#atOnce.release(slot, { token: slot.token, ticket: this.ticket(), state })
  }

  #ended(slot: LocalSlot): void {
    slot.settled()
    this.forget(slot)
    if (this.tells) this.metrics.observe('slotkeeper_held_seconds', slot.heldMs / 1000, this.labels)
  }

  release(
    repository: RepositoryKey,
    of: Pick<LocalSlot, 'run' | 'token'>,
    options?: CallOptions & {
      readonly state?: FinalState
      readonly force?: { actor: string; reason: string }
    },
  ): ReleaseOutcome | Promise<ReleaseOutcome> {
    const answer = this.perform(
      {
        kind: 'release',
        repository,
        run: of.run,
        token: of.token,
        ticket: this.ticket(),
        state: options?.state ?? 'completed',
        force: options?.force,
        outcome: undefined,
      },
      options,
    )
    if (!(answer instanceof Promise)) return this.#released(repository, of.run, answer)
    return answer.then((outcome) => this.#released(repository, of.run, outcome))
  }

  #released(repository: RepositoryKey, run: RunKey, outcome: ReleaseResult): ReleaseOutcome {
    if (this.tells) this.#tellReleased(repository, run, outcome.kind)
    return outcome.kind === 'released' ? { kind: 'released', promoted: outcome.promoted } : outcome
  }

  #tellReleased(repository: RepositoryKey, run: RunKey, outcome: ReleaseOutcome['kind']): void {
    this.metrics.count('slotkeeper_released_total', this.labels)
    this.logger.info({ event: 'released', repository, run, outcome }, 'released a slot')
  }

  /**
   * Ends a slot for a caller who has nobody to give an error to: when the store cannot be told in time, goes on telling it in the
   * background, until it hears, or the holder is lost, which ends the slot as well.
   */
  giveUpSlot(slot: LocalSlot, state: FinalState): void | Promise<void> {
    try {
      const answer = this.#endSlot(slot, { state })
      if (answer instanceof Promise)
        return answer.then(
          () => {},
          (error) => this.#releaseLater(slot, state, error),
        )
    } catch (error) {
      this.#releaseLater(slot, state, error)
    }
  }

  #releaseLater(slot: LocalSlot, state: FinalState, error: unknown): void {
    this.logger.error(
      { event: 'release-failed', repository: slot.repository, run: slot.run, error },
      'a slot could not be released; trying on in the background',
    )
    slot.end('released')
    this.forget(slot)
    const { holder } = slot
    this.persist(
      `release of ${slot.run}`,
      () => this.keeper.holder === holder,
      () =>
        this.performLater({
          kind: 'release',
          repository: slot.repository,
          run: slot.run,
          token: slot.token,
          ticket: this.ticket(),
          state,
          force: undefined,
          outcome: undefined,
        }),
    )
  }

  /** Takes back what a ticket may have led to, now or as soon as the store hears. */
  withdraw(repository: RepositoryKey, run: RunKey, of: string): void {
    const command = this.#withdrawal(repository, run, of, false)
    if (this.synchronous) this.performNow(command)
    else
      this.persist(
        `withdrawal of ${run}`,
        () => true,
        () => this.performLater(command),
      )
  }

  /** The same for a slot that the store has and nobody here knows; a durable one becomes an orphan, for its run may have been started. */
  withdrawUnknown(repository: RepositoryKey, run: RunKey, of: string, isUnknown: () => boolean): void {
    const command = this.#withdrawal(repository, run, of, true)
    this.persist(`withdrawal of ${run}`, isUnknown, async () => {
      const outcome = await this.performLater(command)
      // It may have been handed out while this was under way.
      if (outcome.kind === 'withdrawn') this.slots.ofTicket(repository, run, of)?.lose('removed')
    })
  }

  #withdrawal(repository: RepositoryKey, run: RunKey, of: string, orphan: boolean): WithdrawCommand {
    return { kind: 'withdraw', repository, run, of, orphan, ticket: this.ticket(), outcome: undefined }
  }

  isBusy(): boolean {
    return this.slots.size > 0 || this.waitRoom.size > 0 || this.hub.isWatching || this.asking.size > 0
  }

  lost(holder: HolderId, reason: 'deadline' | 'holder-lost'): void {
    for (const slot of this.slots.all()) if (slot.holder === holder) slot.lose(reason)
    if (this.refusing) return
    this.waitRoom.holderLost(holder)
    // Who only watches needs a living holder as well: its heartbeats are what sweeps for others.
    if (this.hub.isWatching) this.keepAlive()
  }

  /** Opens a holder if there is none, now or as soon as the store hears. */
  keepAlive(): void {
    this.persist(
      'opening a holder',
      () => this.hub.isWatching,
      async () => {
        await this.keeper.ensure()
      },
    )
  }

  doubted(): void {
    if (this.waitRoom.size > 0) this.hub.resyncWaiters()
  }

  raised(): void {
    this.hub.resyncSlots()
    if (this.waitRoom.size > 0) this.hub.resyncWaiters()
  }

  sweepDue(): void {
    if (this.#sweeping || this.closing.aborted) return
    if (this.synchronous) {
      for (const domain of (this.driver.sweep(SWEEP_BUDGET) as { domains: readonly string[] }).domains)
        this.nudge(domain)
      return
    }
    this.#sweeping = true
    this.persist(
      'a sweep',
      () => this.#sweeping,
      async () => {
        try {
          const controller = new AbortController()
          const swept = Promise.resolve(this.driver.sweep(SWEEP_BUDGET, controller.signal))
          const { domains } = await within(swept, {
            clock: this.clock,
            ms: this.callTimeoutMs,
            expired: () => {
              const error = new CallTimeoutError('A sweep', this.callTimeoutMs)
              controller.abort(error)
              return error
            },
            signals: [this.closing],
          })
          for (const domain of domains) this.nudge(domain)
        } finally {
          this.#sweeping = false
        }
      },
    )
  }

  /** A slot is not in hand any more. */
  forget(slot: LocalSlot): void {
    this.slots.remove(slot)
    if (this.tells) this.metrics.gauge('slotkeeper_slots_held', this.slots.size, {})
    if (this.slots.size === 0) this.#onEmpty?.()
  }

  /** See `Manager.close`. */
  async close(waitForSlotsMs: number): Promise<void> {
    this.refusing = true
    this.waitRoom.close()
    if (waitForSlotsMs > 0 && this.slots.size > 0) await this.#slotsReleased(waitForSlotsMs)
    await this.settleBackground()
    const held = this.slots.all()
    for (const slot of held) slot.lose('closed')
    try {
      if (held.every((slot) => slot.durable))
        await this.#leaveStore(new Set(held.map((slot) => slot.repository)))
    } catch (error) {
      this.logger.warn(
        { event: 'close-hurried', error },
        'the holder could not be closed; it runs out by itself',
      )
    }
    this.keeper.stop()
    this.hub.close()
    await this.endCalls()
    await this.driver.close()
  }

  #slotsReleased(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.clock.schedule(resolve, ms)
      this.#onEmpty = () => {
        cancel()
        resolve()
      }
    })
  }

  /** Closes the holder, and has the durable slots that it kept orphaned at once. */
  async #leaveStore(repositories: ReadonlySet<RepositoryKey>): Promise<void> {
    if (this.keeper.holder === undefined) return
    await within(this.keeper.close(this.closing), {
      clock: this.clock,
      ms: this.callTimeoutMs,
      expired: () => new CallTimeoutError('Closing the holder', this.callTimeoutMs),
      signals: [],
    })
    for (const repository of repositories)
      await this.performLater({
        kind: 'watch',
        repository,
        forMs: 0,
        ticket: this.ticket(),
        outcome: undefined,
      })
  }
}
