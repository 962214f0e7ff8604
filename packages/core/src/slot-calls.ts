import type { CallOptions } from './call-options.ts'
import type {
  ClaimCommand,
  ClaimResult,
  ReleaseCommand,
  ReleaseResult,
  RequeueCommand,
  RequeueResult,
  WithdrawCommand,
} from './commands.ts'
import type { Engine } from './engine.ts'
import { CallTimeoutError, InvalidArgumentError, SlotkeeperError } from './errors.ts'
import type { HolderId, RepositoryKey, RunKey } from './keys.ts'
import type { LocalSlot } from './local-slot.ts'
import type { ClaimOutcome, ReleaseOutcome, RequeueOutcome } from './outcomes.ts'
import { type FinalState, isFinal, type RunRow } from './rows.ts'
import type { OutcomeOf } from './store-call.ts'

/** The commonest outcome of a release, and the promise of it: both the same for everybody. */
const PASSED_TO_NOBODY: ReleaseOutcome = Object.freeze({ kind: 'released', promoted: Object.freeze([]) })
const RELEASED = Promise.resolve(PASSED_TO_NOBODY)

interface ReleaseOptions extends CallOptions {
  readonly state?: FinalState
  readonly force?: { readonly actor: string; readonly reason: string }
}

/** What the store is told of a slot once it was granted: that it is claimed, given back, released or withdrawn. */
export class SlotCalls {
  readonly #engine: Engine
  /** Slots of which the store is told in the background that they ended. */
  readonly #later = new Set<LocalSlot>()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Makes a reservation in hand the running slot of this Manager. */
  async claim(slot: LocalSlot, options?: CallOptions): Promise<ClaimOutcome> {
    const command: ClaimCommand = {
      ...this.#named(slot.repository, slot),
      ...{ kind: 'claim', holder: '' as HolderId, validUntil: 0 },
    }
    const outcome: ClaimResult = await this.#engine.perform(command, options)
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
    if (!slot.durable) throw notDurable(slot)
    slot.end('requeued')
    this.#engine.forget(slot)
    const command: RequeueCommand = {
      ...this.#named(slot.repository, slot),
      ...{ kind: 'requeue', delayMs: options?.delayMs ?? 0 },
    }
    const outcome: RequeueResult = await this.#tell(slot, command, options)
    if (outcome.kind === 'not-durable') throw notDurable(slot)
    return outcome.kind === 'requeued' ? { kind: 'requeued', place: outcome.place } : outcome
  }

  /** Ends a slot in hand. When the store cannot be told in time, the call fails, and it is told in the background. */
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
    this.#engine.checkCall(true, options)
    checkFinal(options?.state)
    slot.end('released')
    const next = this.#releaseAtOnce(slot, options)
    if (next !== undefined) {
      this.#ended(slot)
      if (this.#engine.tells) this.#tellReleased(slot.repository, slot.run, 'released')
      if (next === slot.row) return PASSED_TO_NOBODY
      this.#engine.waitRoom.granted(next)
      return { kind: 'released', promoted: [next.run] }
    }
    // It stays in hand until the store has heard, so that closing waits for it.
    const answer = this.#tell(slot, this.#releaseCommand(slot.repository, slot, options), options)
    if (!(answer instanceof Promise)) return this.#released(slot.repository, slot.run, answer)
    return answer.then((outcome) => this.#released(slot.repository, slot.run, outcome))
  }

  /**
   * Tells the store that a slot ended. That happens whatever the caller is told: when the store does not hear in time, it is told in the
   * background, until it hears, or the holder is lost, which ends a worker's slot as well.
   */
  #tell<C extends ReleaseCommand | RequeueCommand>(
    slot: LocalSlot,
    command: C,
    options: CallOptions | undefined,
  ): OutcomeOf<C> | Promise<OutcomeOf<C>> {
    const heard = this.#engine.endings.begin(slot.repository, slot.run)
    const done = () => {
      heard()
      if (command.kind === 'release') this.#ended(slot)
    }
    const failed = (error: unknown): never => {
      // One is enough, however often the caller asks.
      if (this.#later.has(slot)) heard()
      else void this.#tellLater(slot, command, error).then(done)
      throw error
    }
    const told = (outcome: OutcomeOf<C>) => {
      done()
      return outcome
    }
    let answer: OutcomeOf<C> | Promise<OutcomeOf<C>>
    try {
      answer = this.#engine.perform(command, options)
    } catch (error) {
      return failed(error)
    }
    return answer instanceof Promise ? answer.then(told, failed) : told(answer)
  }

  async #tellLater(slot: LocalSlot, command: ReleaseCommand | RequeueCommand, error: unknown): Promise<void> {
    const { repository, run, durable, holder } = slot
    this.#engine.logger.error(
      { event: `${command.kind}-failed`, repository, run, error },
      `the store has not heard of a ${command.kind}; telling it in the background`,
    )
    this.#later.add(slot)
    await this.#engine.persist(
      `${command.kind} of ${run}`,
      () => durable || this.#engine.keeper.holder === holder,
      () => this.#engine.performLater(command),
    )
    this.#later.delete(slot)
  }

  /** The row that got its place, its own where nobody did; `undefined` = it is a command for `perform`, and nothing was changed. */
  #releaseAtOnce(
    slot: LocalSlot,
    options: (CallOptions & { readonly state?: FinalState }) | undefined,
  ): RunRow | undefined {
    if (this.#engine.atOnce === undefined || this.#engine.isClosed) return undefined
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
    options?: ReleaseOptions,
  ): ReleaseOutcome | Promise<ReleaseOutcome> {
    checkFinal(options?.state)
    const answer = this.#engine.perform(this.#releaseCommand(repository, of, options), options)
    if (!(answer instanceof Promise)) return this.#released(repository, of.run, answer)
    return answer.then((outcome) => this.#released(repository, of.run, outcome))
  }

  #releaseCommand(
    repository: RepositoryKey,
    of: Pick<LocalSlot, 'run' | 'token'>,
    options: ReleaseOptions | undefined,
  ): ReleaseCommand {
    const { state = 'completed', force } = options ?? {}
    return { ...this.#named(repository, of), kind: 'release', state, force }
  }

  /** What every command about a lease has. */
  #named(repository: RepositoryKey, { run, token }: Pick<LocalSlot, 'run' | 'token'>) {
    return { repository, run, token, ticket: this.#engine.ticket(), outcome: undefined }
  }

  #released(repository: RepositoryKey, run: RunKey, outcome: ReleaseResult): ReleaseOutcome {
    if (this.#engine.tells) this.#tellReleased(repository, run, outcome.kind)
    return outcome.kind === 'released' ? { kind: 'released', promoted: outcome.promoted } : outcome
  }

  #tellReleased(repository: RepositoryKey, run: RunKey, outcome: ReleaseOutcome['kind']): void {
    this.#engine.metrics.count('slotkeeper_released_total', this.#engine.labels)
    this.#engine.logger.info({ event: 'released', repository, run, outcome }, 'released a slot')
  }

  /** Ends a slot for a caller who has nobody to give an error to. */
  giveUpSlot(slot: LocalSlot, state: FinalState): void | Promise<void> {
    try {
      const answer = this.#endSlot(slot, { state })
      if (answer instanceof Promise) return answer.then(nothing, nothing)
    } catch {
      // The Manager is closed, which ended the slot; of anything else the store is told in the background, and that was logged.
    }
  }

  /**
   * Takes back what a ticket may have led to, now or as soon as the store hears. `orphan`: a durable slot becomes an orphan, for its run may
   * have been started. `wanted`: whether it is still to be; default: as long as no other caller was given the same slot.
   */
  withdraw(
    { repository, run, ticket: of }: Pick<RunRow, 'repository' | 'run' | 'ticket'>,
    orphan = false,
    wanted = () => this.#engine.slots.ofTicket(repository, run, of)?.isGiven !== true,
  ): void {
    const engine = this.#engine
    const ticket = engine.ticket()
    const command: WithdrawCommand = {
      ...{ kind: 'withdraw', repository, run, of, orphan, ticket },
      outcome: undefined,
    }
    if (engine.synchronous) {
      engine.performNow(command)
      return
    }
    const heard = engine.endings.begin(repository, run)
    const attempt = async () => {
      const outcome = await engine.performLater(command)
      if (outcome.kind === 'withdrawn') engine.slots.ofTicket(repository, run, of)?.lose('removed')
    }
    void engine.persist(`withdrawal of ${run}`, wanted, attempt).then(heard)
  }
}

/** @throws InvalidArgumentError for a state that no slot ends in */
export function checkFinal(state: unknown): void {
  if (state !== undefined && !isFinal(state as FinalState))
    throw new InvalidArgumentError(
      `state is ${String(state)}: a slot ends as completed, failed, cancelled or expired.`,
    )
}

function notDurable({ repository, run }: LocalSlot): SlotkeeperError {
  return new SlotkeeperError(
    'SLOTKEEPER_NOT_DURABLE',
    `${repository} ${run} is a worker's slot: it cannot be given back, only released.`,
  )
}

function nothing(): void {}
