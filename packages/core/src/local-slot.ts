import { inspect } from 'node:util'
import type { CallOptions } from './call-options.ts'
import type { Cancel } from './clock.ts'
import type { Engine } from './engine.ts'
import { type LossReason, SlotkeeperError, SlotLostError } from './errors.ts'
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

/** What a granted row is to the caller. */
export class LocalSlot implements Slot, Indexed {
  readonly repository: RepositoryKey
  readonly run: RunKey
  readonly runUid: string | undefined
  readonly durable: boolean
  readonly meta: Readonly<Record<string, string>> | undefined
  readonly token: number
  ticket: string
  indexedAt = -1
  phase: 'reserved' | 'running' | 'orphaned'
  holder: HolderId | undefined
  readonly #engine: Engine
  readonly #number: number
  readonly #acquiredAt: number
  /** Store time of the next thing that must happen to the row. */
  #dueAt: number | undefined
  #lost: SlotLostError | undefined
  #ended = false
  #settled = false
  #controller: AbortController | undefined
  #cancelHold: Cancel | undefined
  #holdMarginMs = 0

  constructor(engine: Engine, row: RunRow) {
    this.#engine = engine
    this.repository = row.repository
    this.run = row.run
    this.runUid = row.runUid
    this.durable = row.durable
    this.meta = row.meta
    this.token = row.token
    this.ticket = row.grantedTo ?? row.ticket
    this.phase = row.phase as LocalSlot['phase']
    this.holder = row.holder
    this.#number = row.number
    this.#acquiredAt = row.acquiredAt ?? 0
    this.#dueAt = row.dueAt
    if (this.phase === 'running') this.#beginHold(row)
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
    return new Date(this.#acquiredAt)
  }

  get expiresAt(): Date {
    const { clock, keeper } = this.#engine
    const times = { now: keeper.storeNow(), wall: clock.wall() }
    const due = this.#dueAt === undefined ? undefined : toDate(this.#dueAt, times)
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
    if (this.phase !== 'running' || this.#ended || this.#lost !== undefined) return false
    if (this.#dueAt !== undefined && this.#holdLeftMs() <= 0) this.lose('max-hold')
    else this.#engine.checkDeadline(this)
    return this.#lost === undefined
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
    const outcome = await this.#engine.claim(this, options)
    return outcome
  }

  requeue(options?: CallOptions & { readonly delayMs?: number }): Promise<RequeueOutcome> {
    if (!this.durable)
      return Promise.reject(
        new SlotkeeperError(
          'SLOTKEEPER_NOT_DURABLE',
          `${this.repository} ${this.run} is a worker's slot: it cannot be given back, only released.`,
        ),
      )
    return this.#engine.requeue(this, options)
  }

  release(options?: CallOptions & { readonly state?: FinalState }): Promise<ReleaseOutcome> {
    return this.#engine.releaseSlot(this, options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#settled && this.#lost === undefined) await this.#engine.giveUpSlot(this, 'completed')
  }

  /** The reservation became this Manager's running slot. */
  claimed(row: RunRow): void {
    this.phase = 'running'
    this.holder = row.holder
    this.ticket = row.grantedTo ?? row.ticket
    this.#dueAt = row.dueAt
    this.#beginHold(row)
  }

  /** From now on it is not held; whoever works under its signal stops. */
  end(reason: 'released' | 'requeued'): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancelHold?.()
    if (this.#controller !== undefined && !this.#controller.signal.aborted)
      this.#controller.abort(this.#loss(reason))
  }

  /** The store has heard that it is released. */
  settled(): void {
    this.#settled = true
  }

  /** How long it was held, by the wall clock. */
  get heldMs(): number {
    return Math.max(0, this.#engine.clock.wall() - this.#acquiredAt)
  }

  /** The slot cannot be proved to be held any more. */
  lose(reason: LossReason): void {
    if (this.#lost !== undefined || this.#ended) return
    this.#lost = this.#loss(reason)
    this.#cancelHold?.()
    this.#engine.slotLost(this, reason)
    this.#controller?.abort(this.#lost)
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

  #beginHold(row: RunRow): void {
    if (row.dueAt === undefined) return
    this.#holdMarginMs = Math.min(HOLD_MARGIN_MS, row.maxHoldMs / 10)
    this.#limitHold()
  }

  #limitHold(): void {
    this.#cancelHold = this.#engine.clock.schedule(
      () => {
        if (this.#holdLeftMs() <= 0) this.lose('max-hold')
        else if (!this.#ended) this.#limitHold()
      },
      Math.max(this.#holdLeftMs(), 1),
    )
  }

  #holdLeftMs(): number {
    if (this.#dueAt === undefined) return Number.POSITIVE_INFINITY
    const { keeper, driver } = this.#engine
    return keeper.untilMs(this.#dueAt) - driver.manifest.clockLagMs - this.#holdMarginMs
  }
}
