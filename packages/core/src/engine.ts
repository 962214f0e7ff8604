import { within } from './call-options.ts'
import type { DomainBatch, DomainInHand, Driver } from './driver.ts'
import { CallTimeoutError, type LossReason, type RefusalReason, SlotkeeperError } from './errors.ts'
import { HolderKeeper, type KeeperHost } from './holder-keeper.ts'
import { InHandCalls } from './in-hand-calls.ts'
import type { HolderId, RepositoryKey, RunKey } from './keys.ts'
import { LocalSlot } from './local-slot.ts'
import type { ManagerOptions } from './manager-options.ts'
import type { DescribedRepository } from './repository.ts'
import type { RunRow } from './rows.ts'
import { RunIndex } from './run-index.ts'
import { SlotCalls } from './slot-calls.ts'
import type { SlotRequest } from './slot-request.ts'
import { StoreCalls } from './store-calls.ts'
import { WaitRoom } from './wait-room.ts'
import { WatchHub } from './watch-hub.ts'

const taken = new WeakSet<Driver>()

/** How many domains one round of sweeping claims. */
const SWEEP_BUDGET = 64

/** What the Manager and its parts share: one driver, one holder, the slots in hand, those who wait, and those who watch. */
export class Engine extends StoreCalls implements KeeperHost {
  readonly label: string
  readonly ttlMs: number
  readonly keeper: HolderKeeper
  readonly waitRoom: WaitRoom
  readonly hub: WatchHub
  /** What becomes of granted slots. */
  readonly slotCalls: SlotCalls = new SlotCalls(this)
  /** Slots in hand. */
  readonly slots = new RunIndex<LocalSlot>()
  /** Where the store is this process's own memory. */
  readonly atOnce: InHandCalls | undefined
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
    this.atOnce = driver.inHand && new InHandCalls(this, driver.inHand)
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
    if (this.atOnce === undefined || !this.isOpen) return undefined
    return this.atOnce.acquire(request, from, mode)
  }

  /** The slot of a granted row: the one in hand, or a new one. */
  slotOf(row: RunRow): LocalSlot {
    const known = this.inHand(row)
    if (known !== undefined) return known
    return this.#newSlot(row)
  }

  /** The slot in hand that has the row's lease. */
  inHand(row: RunRow): LocalSlot | undefined {
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
    if (this.synchronous && !again) return this.#newSlot(row, inHand)
    const slot = this.slotOf(row)
    slot.isGiven = true
    return slot
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
    void this.persist(
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

  resumed(): void {
    for (const slot of this.slots.all()) slot.checkHold()
  }

  sweepDue(): void {
    if (this.#sweeping || this.closing.aborted) return
    if (this.synchronous) {
      for (const domain of (this.driver.sweep(SWEEP_BUDGET) as { domains: readonly string[] }).domains)
        this.nudge(domain)
      return
    }
    this.#sweeping = true
    void this.persist(
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
      if (held.every((slot) => slot.durable || slot.isEnding))
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
