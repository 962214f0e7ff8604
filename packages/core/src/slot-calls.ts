import type { CallOptions } from './call-options.ts'
import type { ClaimResult, ReleaseResult, RequeueResult, WithdrawCommand } from './commands.ts'
import type { Engine } from './engine.ts'
import { CallTimeoutError, SlotkeeperError } from './errors.ts'
import type { HolderId, RepositoryKey, RunKey } from './keys.ts'
import type { LocalSlot } from './local-slot.ts'
import type { ClaimOutcome, ReleaseOutcome, RequeueOutcome } from './outcomes.ts'
import type { FinalState, RunRow } from './rows.ts'

/** The commonest outcome of a release, and the promise of it: both the same for everybody. */
const PASSED_TO_NOBODY: ReleaseOutcome = Object.freeze({ kind: 'released', promoted: Object.freeze([]) })
const RELEASED = Promise.resolve(PASSED_TO_NOBODY)

/** What the store is told of a slot once it was granted: that it is claimed, given back, released or withdrawn. */
export class SlotCalls {
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Makes a reservation in hand the running slot of this Manager. */
  async claim(slot: LocalSlot, options?: CallOptions): Promise<ClaimOutcome> {
    const outcome: ClaimResult = await this.#engine.perform(
      {
        kind: 'claim',
        repository: slot.repository,
        run: slot.run,
        token: slot.token,
        ticket: this.#engine.ticket(),
        holder: '' as HolderId,
        validUntil: 0,
        outcome: undefined,
      },
      options,
    )
    if (outcome.kind === 'running') {
      const known = this.#engine.inHand(outcome.row)
      // Another call of this Manager claimed it: the run must not be started twice.
      if (known !== undefined && known !== slot)
        return { kind: 'held-elsewhere', holder: known.holder, since: known.acquiredAt }
      slot.claimed(outcome.row)
      this.#engine.keep(slot)
      return { kind: 'running' }
    }
    if (outcome.kind === 'held-elsewhere')
      return { kind: 'held-elsewhere', holder: outcome.holder, since: new Date(outcome.since) }
    if (outcome.kind === 'lost') return outcome
    throw new CallTimeoutError('A claim', this.#engine.callTimeoutMs)
  }

  async requeue(
    slot: LocalSlot,
    options?: CallOptions & { readonly delayMs?: number },
  ): Promise<RequeueOutcome> {
    slot.end('requeued')
    this.#engine.forget(slot)
    const outcome: RequeueResult = await this.#engine.perform(
      {
        kind: 'requeue',
        repository: slot.repository,
        run: slot.run,
        token: slot.token,
        ticket: this.#engine.ticket(),
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
      if (this.#engine.tells) this.#tellReleased(slot.repository, slot.run, 'released')
      if (next === slot.row) return PASSED_TO_NOBODY
      this.#engine.waitRoom.granted(next)
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
    if (this.#engine.atOnce === undefined || this.#engine.isClosed) return undefined
    if (options !== undefined) this.#engine.checkCall(true, options)
    const state = options?.state ?? 'completed'
    return this.#engine.atOnce.release(slot, { token: slot.token, ticket: this.#engine.ticket(), state })
  }

  #ended(slot: LocalSlot): void {
    slot.settled()
    this.#engine.forget(slot)
    if (this.#engine.tells)
      this.#engine.metrics.observe('slotkeeper_held_seconds', slot.heldMs / 1000, this.#engine.labels)
  }

  release(
    repository: RepositoryKey,
    of: Pick<LocalSlot, 'run' | 'token'>,
    options?: CallOptions & {
      readonly state?: FinalState
      readonly force?: { actor: string; reason: string }
    },
  ): ReleaseOutcome | Promise<ReleaseOutcome> {
    const answer = this.#engine.perform(
      {
        kind: 'release',
        repository,
        run: of.run,
        token: of.token,
        ticket: this.#engine.ticket(),
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
    if (this.#engine.tells) this.#tellReleased(repository, run, outcome.kind)
    return outcome.kind === 'released' ? { kind: 'released', promoted: outcome.promoted } : outcome
  }

  #tellReleased(repository: RepositoryKey, run: RunKey, outcome: ReleaseOutcome['kind']): void {
    this.#engine.metrics.count('slotkeeper_released_total', this.#engine.labels)
    this.#engine.logger.info({ event: 'released', repository, run, outcome }, 'released a slot')
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
    this.#engine.logger.error(
      { event: 'release-failed', repository: slot.repository, run: slot.run, error },
      'a slot could not be released; trying on in the background',
    )
    slot.end('released')
    this.#engine.forget(slot)
    const { holder } = slot
    this.#engine.persist(
      `release of ${slot.run}`,
      () => this.#engine.keeper.holder === holder,
      () =>
        this.#engine.performLater({
          kind: 'release',
          repository: slot.repository,
          run: slot.run,
          token: slot.token,
          ticket: this.#engine.ticket(),
          state,
          force: undefined,
          outcome: undefined,
        }),
    )
  }

  /** Takes back what a ticket may have led to, now or as soon as the store hears. */
  withdraw(repository: RepositoryKey, run: RunKey, of: string): void {
    const command = this.#withdrawal(repository, run, of, false)
    if (this.#engine.synchronous) this.#engine.performNow(command)
    else
      this.#engine.persist(
        `withdrawal of ${run}`,
        () => true,
        () => this.#engine.performLater(command),
      )
  }

  /** The same for a slot that the store has and nobody here knows; a durable one becomes an orphan, for its run may have been started. */
  withdrawUnknown(repository: RepositoryKey, run: RunKey, of: string, isUnknown: () => boolean): void {
    const command = this.#withdrawal(repository, run, of, true)
    this.#engine.persist(`withdrawal of ${run}`, isUnknown, async () => {
      const outcome = await this.#engine.performLater(command)
      // It may have been handed out while this was under way.
      if (outcome.kind === 'withdrawn') this.#engine.slots.ofTicket(repository, run, of)?.lose('removed')
    })
  }

  #withdrawal(repository: RepositoryKey, run: RunKey, of: string, orphan: boolean): WithdrawCommand {
    return {
      kind: 'withdraw',
      repository,
      run,
      of,
      orphan,
      ticket: this.#engine.ticket(),
      outcome: undefined,
    }
  }
}
