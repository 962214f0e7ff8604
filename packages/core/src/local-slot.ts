import { inspect } from 'node:util'
import type { CallOptions } from './call-options.ts'
import type { Cancel } from './clock.ts'
import type { DomainInHand } from './driver.ts'
import type { Engine } from './engine.ts'
import { type LossReason, SlotLostError } from './errors.ts'
import { type HolderId, type LeaseId, leaseOf, type RepositoryKey, type RunKey } from './keys.ts'
import type { ClaimOutcome, ReleaseOutcome, RequeueOutcome } from './outcomes.ts'
import type { FinalState, RunRow } from './rows.ts'
import type { Indexed } from './run-index.ts'
import type { Slot } from './slot.ts'
import { toDate } from './slot-info.ts'

const LOSSES: Record<LossReason, string> = {
  released: 'it was released.',
  deadline: 'no heartbeat succeeded before its deadline, so the store may give it away.',
  'holder-lost': 'the store counts its holder as dead.',
  removed: 'somebody took it away in the store.',
  expired: 'it ran out in the store.',
  'max-hold': 'its maxHoldMs is over.',
  closed: 'the Manager was closed while it was held.',
  requeued: 'it was given back to the queue.',
  unclaimed: 'it is reserved, and was not claimed.',
}

/** The longest margin by which maxHoldMs ends earlier here than in the store. */
const HOLD_MARGIN_MS = 1000

/** What must happen to a slot at a store time: the end of its longest hold, of its time to be claimed, or of an orphan's lease. */
interface Due {
  readonly at: number
  /** By how much it happens earlier here than in the store. */
  readonly marginMs: number
  cancel: Cancel | undefined
}

/** Where a release is: under way, or heard by the store. */
type Ending = 'ending' | 'ended'

/** What a granted row is to the caller. */
export class LocalSlot implements Slot, Indexed {
  /**
   * The row that it was granted as. Of a store in this process it is the row itself, which may have moved on to the run's next attempt
   * since: only what never changes is read from it later.
   */
  readonly row: RunRow
  /** What stands for the row's domain in a store of this process. */
  readonly inHand: DomainInHand | undefined
  readonly token: number
  ticket: string
  indexedAt = -1
  phase: 'reserved' | 'running' | 'orphaned'
  holder: HolderId | undefined
  readonly runUid: string | undefined
  readonly durable: boolean
  readonly meta: Readonly<Record<string, string>> | undefined
  /** Somebody here works under it, or is to; else it was shown only, to whoever asked for something else. */
  isGiven = true
  readonly #engine: Engine
  readonly #number: number
  readonly #acquiredAt: number | undefined
  #due: Due | undefined
  #over: SlotLostError | Ending | undefined
  #controller: AbortController | undefined

  constructor(engine: Engine, row: RunRow, inHand: DomainInHand | undefined) {
    this.row = row
    this.inHand = inHand
    this.token = row.token
    this.ticket = row.grantedTo ?? row.ticket
    this.phase = row.phase as LocalSlot['phase']
    this.holder = row.holder
    this.runUid = row.runUid
    this.durable = row.durable
    this.meta = row.meta
    this.#engine = engine
    this.#number = row.number
    this.#acquiredAt = row.acquiredAt
    this.#due = undefined
    this.#over = undefined
    this.#controller = undefined
    if (row.dueAt !== undefined) this.#becomesDue(row)
  }

  get repository(): RepositoryKey {
    return this.row.repository
  }

  get run(): RunKey {
    return this.row.run
  }

  get leaseId(): LeaseId {
    return leaseOf(this.token)
  }

  get fencingToken(): bigint {
    return BigInt(this.token)
  }

  get slotNumber(): number | undefined {
    return this.#number === 0 ? undefined : this.#number
  }

  get acquiredAt(): Date {
    return new Date(this.#acquiredAt ?? 0)
  }

  get expiresAt(): Date {
    const { clock, keeper } = this.#engine
    const times = { now: keeper.storeNow(), wall: clock.wall() }
    const due = this.#due === undefined ? undefined : toDate(this.#due.at, times)
    if (this.phase !== 'running') return due ?? new Date(times.wall)
    const deadline = new Date(times.wall + (keeper.holder === this.holder ? keeper.remainingMs() : 0))
    return due !== undefined && due < deadline ? due : deadline
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.isHeld || this.phase === 'reserved') return this.#controller.signal
      this.#controller.abort(this.#lost ?? this.#loss('released'))
    }
    return this.#controller.signal
  }

  get isHeld(): boolean {
    if (this.phase !== 'running' || this.#over !== undefined) return false
    this.checkHold()
    this.#engine.checkDeadline(this)
    return this.#over === undefined
  }

  get remainingMs(): number {
    if (!this.isHeld) return 0
    return Math.max(0, Math.min(this.#engine.keeper.remainingMs(), this.#holdLeftMs()))
  }

  assertHeld(): void {
    if (!this.isHeld) throw this.#lost ?? this.#loss(this.phase === 'reserved' ? 'unclaimed' : 'released')
  }

  async claim(options?: CallOptions): Promise<ClaimOutcome> {
    if (this.isHeld) return { kind: 'running' }
    const outcome = await this.#engine.slotCalls.claim(this, options)
    return outcome
  }

  requeue(options?: CallOptions & { readonly delayMs?: number }): Promise<RequeueOutcome> {
    return this.#engine.slotCalls.requeue(this, options)
  }

  release(options?: CallOptions & { readonly state?: FinalState }): Promise<ReleaseOutcome> {
    return this.#engine.slotCalls.releaseSlot(this, options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over === undefined || this.#over === 'ending')
      await this.#engine.slotCalls.giveUpSlot(this, 'completed')
  }

  /** The reservation became this Manager's running slot. */
  claimed(row: RunRow): void {
    this.phase = 'running'
    this.holder = row.holder
    this.ticket = row.grantedTo ?? row.ticket
    this.#due = undefined
    if (row.dueAt !== undefined) this.#becomesDue(row)
  }

  /** From now on it is not held; whoever works under its signal stops. */
  end(reason: 'released' | 'requeued'): void {
    if (this.#over !== undefined) return
    this.#over = 'ending'
    this.#due?.cancel?.()
    if (this.#controller !== undefined && !this.#controller.signal.aborted)
      this.#controller.abort(this.#loss(reason))
  }

  /** The store has heard that it is released. */
  settled(): void {
    if (this.#over === 'ending') this.#over = 'ended'
  }

  /** How long it was held, by the wall clock. */
  get heldMs(): number {
    return Math.max(0, this.#engine.clock.wall() - (this.#acquiredAt ?? 0))
  }

  /** The slot cannot be proved to be held any more. */
  lose(reason: LossReason): void {
    if (this.#over !== undefined) return
    const lost = this.#loss(reason)
    this.#over = lost
    this.#due?.cancel?.()
    this.#engine.slotLost(this, reason)
    this.#controller?.abort(lost)
  }

  /** Loses a slot that runs when its longest hold is over. */
  checkHold(): void {
    if (this.phase === 'running' && this.#due !== undefined && this.#holdLeftMs() <= 0) this.lose('max-hold')
  }

  /** What people see; never the machinery behind it. */
  toJSON(): object {
    const { repository, run, phase, leaseId, holder, slotNumber, durable, acquiredAt, expiresAt } = this
    return {
      repository,
      run,
      phase,
      leaseId,
      holder,
      slotNumber,
      durable,
      fencingToken: String(this.token),
      acquiredAt,
      expiresAt,
    }
  }

  [inspect.custom](): object {
    return this.toJSON()
  }

  #loss(reason: LossReason): SlotLostError {
    return new SlotLostError(`${this.repository} ${this.run}`, reason, LOSSES[reason])
  }

  get #lost(): SlotLostError | undefined {
    return typeof this.#over === 'object' ? this.#over : undefined
  }

  /** It was asked for that it ends. */
  get isEnding(): boolean {
    return this.#over === 'ending' || this.#over === 'ended'
  }

  #becomesDue({ dueAt: at = 0, maxHoldMs }: RunRow): void {
    const running = this.phase === 'running'
    this.#due = { at, marginMs: running ? Math.min(HOLD_MARGIN_MS, maxHoldMs / 10) : 0, cancel: undefined }
    if (running) this.#limitHold(this.#due)
  }

  #limitHold(due: Due): void {
    due.cancel = this.#engine.clock.schedule(
      () => {
        this.checkHold()
        if (this.#over === undefined) this.#limitHold(due)
      },
      Math.max(this.#holdLeftMs(), 1),
    )
  }

  #holdLeftMs(): number {
    if (this.#due === undefined) return Number.POSITIVE_INFINITY
    const { keeper, driver } = this.#engine
    return keeper.untilMs(this.#due.at) - driver.manifest.clockLagMs - this.#due.marginMs
  }
}
