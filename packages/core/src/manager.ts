import type { CallOptions } from './call-options.ts'
import type { AcquireCommand, AcquireResult, AdoptCommand, Command } from './commands.ts'
import { newRepository } from './decide/limits.ts'
import type { Health } from './driver.ts'
import { Engine } from './engine.ts'
import { CallTimeoutError, InvalidArgumentError, SlotRefusedError } from './errors.ts'
import { type Explanation, explainRun } from './explain.ts'
import { checkKey, type HolderId, type RepositoryKey, type RunKey, tokenOf } from './keys.ts'
import type { LocalSlot } from './local-slot.ts'
import type { ManagerOptions } from './manager-options.ts'
import type { AcquireOutcome, ReleaseOutcome } from './outcomes.ts'
import { QueueManager } from './queue-manager.ts'
import type { ActualRun } from './repair/actual-run.ts'
import { type Audit, checkAudit } from './repair/audit.ts'
import { type AuditDriftOptions, Audits } from './repair/audits.ts'
import type { Drift } from './repair/drift.ts'
import { type ForceReleaseOptions, forceRelease } from './repair/force-release.ts'
import {
  checkUid,
  describeRepository,
  keyOf,
  type Limit,
  type Repository,
  type RepositoryRef,
} from './repository.ts'
import type { FinalState, RepositoryState, RunState } from './rows.ts'
import { isFinal, isSlot } from './rows.ts'
import type { Slot } from './slot.ts'
import { checkFinal } from './slot-calls.ts'
import {
  type QueueEntry,
  queueEntry,
  type RepositoryInfo,
  repositoryInfo,
  type SlotInfo,
  type SlotRef,
  slotInfo,
  toLimit,
} from './slot-info.ts'
import { acquireCommand, type SlotRequest } from './slot-request.ts'
import { StateManager } from './state-manager.ts'
import type { OutcomeOf } from './store-call.ts'
import type { SlotEvent } from './watch-hub.ts'

/** The name of `util.inspect.custom`, which this file does without so that no user needs the types of Node.js. */
const inspect: unique symbol = Symbol.for('nodejs.util.inspect.custom')

/** What a Manager has in hand, for people and debuggers. Never holds a secret. */
export interface ManagerInspection {
  readonly driver: string
  readonly holder: HolderId | undefined
  /** How long the holder is provably alive without another heartbeat, in ms. */
  readonly holderRemainingMs: number
  readonly closed: boolean
  readonly slots: readonly SlotInfo[]
  readonly waiting: readonly { readonly repository: RepositoryKey; readonly run: RunKey }[]
}

/**
 * Concurrency slots over one store: at most so many runs of a repository at once, the others in order, every slot under a lease that a
 * dead owner loses. One Manager for a process is enough; it opens its driver at the first call and owns it.
 * @example
 * await using manager = new Manager({ driver: memoryDriver() })
 * await manager.withSlot({ repository: repository('acme/api', { concurrencyLimit: 2 }), run: 'acme/build-17' }, async slot => {
 *   await build({ signal: slot.signal, fence: slot.fencingToken })
 * })
 */
export class Manager implements AsyncDisposable {
  /** The driver's name: `memory`, `sqlite`, `postgresql`, `etcd` or another. */
  readonly driverType: string
  /** Durable queues, for controllers. */
  readonly queueManager: QueueManager
  /** Where runs are in their lives. */
  readonly stateManager: StateManager
  readonly #engine: Engine
  readonly #audits: Audits
  #closed: Promise<void> | undefined

  /** @throws InvalidArgumentError for wrong options; SlotkeeperError `SLOTKEEPER_DRIVER_IN_USE` for a driver of another Manager */
  constructor(options: ManagerOptions) {
    this.#engine = new Engine(options)
    this.driverType = this.#engine.driver.name
    this.#audits = new Audits(this.#engine)
    this.queueManager = new QueueManager(this.#engine, this, this.#audits)
    this.stateManager = new StateManager(this.#engine, this)
  }

  /** This Manager's present claim to be alive in the store; `undefined` before the first slot is asked for. */
  get holder(): HolderId | undefined {
    return this.#engine.holder()
  }

  /**
   * Asks once: never waits, never enqueues, never passes the queue. The same run asked again by this Manager gets the same lease.
   * @throws InvalidArgumentError; ManagerClosedError; a retryable SlotkeeperError when the store does not answer in time
   */
  acquireSlot(request: SlotRequest): Promise<AcquireOutcome> {
    const engine = this.#engine
    try {
      const from = describeRepository(request?.repository)
      const row = engine.acquireAtOnce(request, from, 'try')
      if (row === undefined) return this.#take(acquireCommand(engine, request, 'try'), request)
      return Promise.resolve({
        kind: 'granted',
        slot: engine.acquired(row, false, 0, from.inHand),
        again: false,
      })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** What the caller of a call that fails was not told of must not stay taken. */
  async #take(command: AcquireCommand | AdoptCommand, options?: CallOptions): Promise<AcquireOutcome> {
    const engine = this.#engine
    try {
      const answer = engine.perform(command, options)
      return this.#acquired(command, answer instanceof Promise ? await answer : answer)
    } catch (error) {
      if (!engine.synchronous && !engine.isClosed)
        engine.slotCalls.withdraw(command, command.kind === 'adopt')
      throw error
    }
  }

  /**
   * Queues until granted. Leaves nothing behind when it rejects.
   * @throws WaitTimeoutError after `timeoutMs`; the signal's reason; SlotRefusedError when the wait cannot end with a slot;
   * AlreadyHeldError when this Manager holds the run's slot; SupersededError when a newer wait for the run took over; ManagerClosedError
   */
  waitForSlot(request: SlotRequest): Promise<Slot> {
    try {
      return Promise.resolve(this.#wait(request))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Waits for a slot, does the work under it and frees it whatever happens: `completed` when the work resolves, `failed` when it
   * rejects. Work whose slot was lost learns it from `slot.signal`; its result is still returned.
   * @throws what `waitForSlot` throws, and what the work throws
   */
  async withSlot<T>(request: SlotRequest, work: (slot: Slot) => Promise<T>): Promise<T> {
    const answer = this.#wait(request)
    const slot = answer instanceof Promise ? await answer : answer
    let state: FinalState = 'failed'
    try {
      const result = await work(slot)
      state = 'completed'
      return result
    } finally {
      const given = this.#engine.slotCalls.giveUpSlot(slot, state)
      if (given !== undefined) await given
    }
  }

  #wait(request: SlotRequest): LocalSlot | Promise<LocalSlot> {
    return this.#engine.waitRoom.wait(request)
  }

  /** Ends the slot that the lease names. A second time, a wrong or an old lease frees nothing and says so. Default state: `completed`. */
  async releaseSlot(
    slot: SlotRef,
    options?: CallOptions & { readonly state?: FinalState },
  ): Promise<ReleaseOutcome> {
    const { repository, run, token } = checkRef(slot)
    const mine = this.#engine.slots.of(repository, run).find((held) => held.token === token)
    if (mine !== undefined) return this.#engine.slotCalls.releaseSlot(mine, options)
    return this.#engine.slotCalls.release(repository, { run, token }, options)
  }

  /**
   * Ends somebody else's slot, for operators and for repairs. It names the lease that was seen: when the run has got another one since,
   * nothing is freed, and the answer says so. The holder hears of it, its `signal` aborts, and the next run gets the place. Who did it
   * and why stand in the log (`event: 'audit'`) and in the `detail` of the `released` event. Whether the run itself still works is not
   * looked at: stop it first, or fence what it writes.
   * @throws InvalidArgumentError when the actor or the reason is missing; else what `releaseSlot` throws
   */
  async forceRelease(slot: SlotRef, audit: Audit, options?: ForceReleaseOptions): Promise<ReleaseOutcome> {
    const seen = checkRef(slot)
    checkFinal(options?.state)
    return forceRelease(this.#engine, seen, audit, options)
  }

  /** Takes over a durable slot that nobody keeps: this Manager is its holder from now on, under a new lease and a new token. */
  async adoptSlot(slot: Pick<SlotRef, 'repository' | 'run'>, options?: CallOptions): Promise<AcquireOutcome> {
    const { repository, run } = slot
    checkKey(repository, 'repository')
    checkKey(run, 'run')
    const ticket = this.#engine.ticket()
    const command: AdoptCommand = {
      ...{ kind: 'adopt', repository, run, ticket, holder: '' as HolderId, validUntil: 0 },
      ...{ beyond: undefined, outcome: undefined },
    }
    return this.#take(command, options)
  }

  /** How many slots are taken, by phase, how many wait, and the limit. A repository that nobody spoke of has none and no limit. */
  async getCurrentSlots(ref: RepositoryRef, options?: CallOptions): Promise<RepositoryInfo> {
    const repository = keyOf(ref)
    const { repositories } = await this.#readRepository(repository, 0, 0, undefined, options)
    return repositoryInfo(repositories[0] ?? newRepository(repository, repository))
  }

  /** The slots of a repository in every phase, oldest first. */
  async getRunningPipelineRuns(ref: RepositoryRef, options?: CallOptions): Promise<readonly SlotInfo[]> {
    const snapshot = await this.#readRepository(ref, Number.MAX_SAFE_INTEGER, 0, undefined, options)
    return snapshot.runs
      .filter((row) => isSlot(row.phase))
      .map((row) =>
        slotInfo(
          row,
          snapshot,
          snapshot.holders.find((holder) => holder.holder === row.holder),
        ),
      )
  }

  /** The waiting runs of a repository in the order in which they go, parked ones among them. `first`: how many; default 1,000. */
  async getQueuedPipelineRuns(
    ref: RepositoryRef,
    options?: CallOptions & { readonly first?: number },
  ): Promise<readonly QueueEntry[]> {
    const first = options?.first ?? 1000
    if (!(Number.isSafeInteger(first) && first >= 1))
      throw new InvalidArgumentError(`first is ${String(first)}: it must be a whole number from 1.`)
    const snapshot = await this.#readRepository(ref, 0, first, undefined, options)
    return snapshot.runs.filter((row) => row.phase === 'waiting').map((row) => queueEntry(row, snapshot))
  }

  /** The repositories that the store knows, by key. `first`: how many; default 1,000. `after`: those behind this key. */
  async getRepositories(
    options?: CallOptions & { readonly first?: number; readonly after?: string },
  ): Promise<readonly RepositoryInfo[]> {
    const { driver } = this.#engine
    const { repositories } = await this.#engine.read('Listing repositories', options, (signal) =>
      driver.read(
        { kind: 'repositories', after: options?.after ?? '', first: options?.first ?? 1000 },
        signal,
      ),
    )
    return repositories.filter((row) => row.status !== 'removed').map(repositoryInfo)
  }

  /**
   * Everything that happens in a repository. Begins with a `resync`; another one says that events may have been missed. Iterating ends
   * with the signal, with `break`, and when the Manager closes.
   */
  watchSlotAvailability(
    ref: RepositoryRef,
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterable<SlotEvent> {
    this.#engine.checkOpen()
    return this.#engine.hub.iterate(keyOf(ref), options?.signal)
  }

  /**
   * Says a limit without asking for a slot. `global`: the word that counts where the repository itself has none. `audit`: who says it
   * and why; both stand in the log (`event: 'audit'`) and in the `detail` of the event.
   */
  async setRepositoryLimit(
    repository: Repository,
    options?: CallOptions & { readonly source?: 'local' | 'global'; readonly audit?: Audit },
  ): Promise<{ kind: 'set' | 'older' | 'removed'; limit: Limit }> {
    const { key, proposal } = describeRepository(repository)
    const audit = options?.audit && checkAudit(options.audit)
    const { kind, limit } = await this.#perform(
      {
        kind: 'limit',
        repository: key,
        source: options?.source ?? 'local',
        proposal,
        audit,
        ticket: this.#engine.ticket(),
        outcome: undefined,
      },
      options,
    )
    this.#audit(audit, { action: 'limit', repository: key, limit: toLimit(limit), outcome: kind })
    return { kind, limit: toLimit(limit) }
  }

  /**
   * `paused`: nothing new is granted, claims are allowed. `draining`: enqueues are refused too. Slots that run go on. `audit`: who does
   * it and why; both stand in the log (`event: 'audit'`) and in the `detail` of the event.
   */
  async setRepositoryState(
    ref: RepositoryRef,
    state: RepositoryState,
    options?: CallOptions & { readonly audit?: Audit },
  ): Promise<void> {
    if (state !== 'active' && state !== 'paused' && state !== 'draining')
      throw new InvalidArgumentError(`state is ${String(state)}: a repository is active, paused or draining.`)
    const repository = keyOf(ref)
    const audit = options?.audit && checkAudit(options.audit)
    const outcome = await this.#perform(
      {
        kind: 'repository-state',
        repository,
        state,
        audit,
        ticket: this.#engine.ticket(),
        outcome: undefined,
      },
      options,
    )
    if (outcome.kind === 'removed')
      throw new SlotRefusedError(
        repository,
        'removed',
        'The repository was removed; ask for a slot of its new life first.',
      )
    this.#audit(audit, { action: 'repository-state', repository, state, outcome: outcome.kind })
  }

  /** Whether a repository grants slots; `active` where nobody said anything else. */
  async getRepositoryState(ref: RepositoryRef, options?: CallOptions): Promise<RepositoryState> {
    const { repositories } = await this.#readRepository(ref, 0, 0, undefined, options)
    return repositories[0]?.state ?? 'active'
  }

  /**
   * Notes where a run is. Never frees or takes a slot, and never goes backwards within an attempt.
   * @returns the state that the run has now
   */
  async setPipelineRunState(
    ref: RepositoryRef,
    run: RunKey,
    state: RunState,
    options?: CallOptions & { readonly runUid?: string },
  ): Promise<RunState | undefined> {
    const repository = keyOf(ref)
    checkKey(run, 'run')
    checkUid(options?.runUid, 'runUid')
    if (state !== 'queued' && state !== 'started' && !isFinal(state))
      throw new InvalidArgumentError(
        `state is ${String(state)}: a run is queued, started, completed, failed, cancelled or expired.`,
      )
    const outcome = await this.#perform(
      {
        kind: 'run-state',
        repository,
        run,
        runUid: options?.runUid,
        state,
        ticket: this.#engine.ticket(),
        outcome: undefined,
      },
      options,
    )
    return outcome.state
  }

  /** Where a run is; `undefined` = unknown, in every driver. */
  async getPipelineRunState(
    ref: RepositoryRef,
    run: RunKey,
    options?: CallOptions,
  ): Promise<RunState | undefined> {
    const row = await this.#engine.readRun(keyOf(ref), run, options)
    return row?.state
  }

  /** Why a run is where it is: its place, who holds the slots, who is ahead. */
  async explain(ref: RepositoryRef, run: RunKey, options?: CallOptions): Promise<Explanation> {
    checkKey(run, 'run')
    return explainRun(keyOf(ref), run, await this.#readRepository(ref, 100, 100, run, options))
  }

  /**
   * Compares the store with what the cluster really runs, as `queueManager.initQueues` does, for now and then; a few minutes are a good
   * period. With `repair` it also does what `initQueues` would. One thing more: a slot that its living holder keeps, and that the audits
   * of this Manager have missed for `missingMs`, is ended.
   * @returns what differed, and what was done about it
   * @throws what `initQueues` throws
   */
  auditDrift(actual: AsyncIterable<ActualRun>, options: AuditDriftOptions): Promise<readonly Drift[]> {
    return this.#audits.auditDrift(actual, options)
  }

  /** Deletes a repository with its queue, its slots and its records. Whoever holds one of its slots loses it. */
  async cleanupRepository(ref: RepositoryRef, options?: CallOptions): Promise<{ removed: number }> {
    const repository = keyOf(ref)
    const uid = typeof ref === 'string' ? undefined : ref.metadata.uid
    let removed: number | undefined
    for (;;) {
      const outcome = await this.#perform(
        {
          kind: 'remove-repository',
          repository,
          uid,
          begun: removed !== undefined,
          ticket: this.#engine.ticket(),
          outcome: undefined,
        },
        options,
      )
      if (outcome.kind === 'absent') return { removed: removed ?? 0 }
      removed ??= outcome.runs
    }
  }

  /** Asks the store how it is. */
  async health(options?: CallOptions): Promise<Health> {
    return this.#engine.read('Asking for health', options, (signal) => this.#engine.driver.health(signal))
  }

  /** What this Manager has in hand. */
  inspect(): ManagerInspection {
    const { driver, keeper, slots, waitRoom, isClosed } = this.#engine
    return {
      driver: driver.name,
      holder: keeper.holder,
      holderRemainingMs: Math.max(0, Math.round(keeper.remainingMs())),
      closed: isClosed,
      slots: slots.all().map((slot) => slot.toJSON() as SlotInfo),
      waiting: waitRoom.runs,
    }
  }

  /**
   * Ends everything: calls and waits reject with ManagerClosedError, signals of slots still held abort at once. Workers' slots that are
   * still held then run out in the store rather than being freed under their bodies; durable ones become orphans, which another replica
   * adopts. With `waitForSlotsMs` it first waits so long for held slots to be released. Closing twice waits for the first.
   */
  close(options?: { readonly waitForSlotsMs?: number }): Promise<void> {
    this.#closed ??= this.#engine.close(options?.waitForSlotsMs ?? 0)
    return this.#closed
  }

  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What a debugger and `console.log` show. */
  [inspect](): object {
    return this.inspect()
  }

  #audit(audit: Audit | undefined, fields: object): void {
    if (audit !== undefined)
      this.#engine.logger.warn(
        { event: 'audit', ...fields, ...audit },
        'a repository was to be changed by hand',
      )
  }

  async #perform<C extends Command>(command: C, options?: CallOptions): Promise<OutcomeOf<C>> {
    return this.#engine.perform(command, options)
  }

  async #readRepository(
    ref: RepositoryRef,
    slots: number,
    waiting: number,
    run: RunKey | undefined,
    options: CallOptions | undefined,
  ) {
    const repository = keyOf(ref)
    const { driver } = this.#engine
    return this.#engine.read(`Reading ${repository}`, options, (signal) =>
      driver.read({ kind: 'repository', repository, slots, waiting, run }, signal),
    )
  }

  #acquired(
    command: Pick<Command, 'repository'> & { readonly run: RunKey },
    result: AcquireResult,
  ): AcquireOutcome {
    const { repository, run } = command
    switch (result.kind) {
      case 'granted':
        return {
          kind: 'granted',
          slot: this.#engine.acquired(result.row, result.again, 0),
          again: result.again,
        }
      case 'refused':
        this.#engine.refused(repository, run, result.reason)
        return {
          kind: 'refused',
          reason: result.reason,
          running: result.running,
          limit: toLimit(result.limit),
        }
      case 'held-elsewhere':
        return { kind: 'held-elsewhere', holder: result.holder, since: new Date(result.since) }
      default:
        throw new CallTimeoutError(`Acquiring ${repository} ${run}`, this.#engine.callTimeoutMs)
    }
  }
}

function checkRef(slot: SlotRef): { repository: RepositoryKey; run: RunKey; token: number } {
  if (typeof slot !== 'object' || slot === null)
    throw new InvalidArgumentError('The slot is not an object with repository, run and leaseId.')
  checkKey(slot.repository, 'repository')
  checkKey(slot.run, 'run')
  if (typeof slot.leaseId !== 'string')
    throw new InvalidArgumentError(
      `leaseId is ${typeof slot.leaseId}: a release names the lease that it ends.`,
    )
  return { repository: slot.repository, run: slot.run, token: tokenOf(slot.leaseId) }
}
