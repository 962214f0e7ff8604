import type { CallOptions } from './call-options.ts'
import type { Cancel } from './clock.ts'
import type { AcquireCommand, AcquireResult } from './commands.ts'
import type { Engine } from './engine.ts'
import { CallTimeoutError, InvalidArgumentError } from './errors.ts'
import { checkKey, type RunKey } from './keys.ts'
import type { Manager } from './manager.ts'
import type { AcquireOutcome, EnqueueOutcome } from './outcomes.ts'
import type { ActualRun } from './repair/actual-run.ts'
import type { Audits, InitQueuesOptions } from './repair/audits.ts'
import type { Drift } from './repair/drift.ts'
import { describeRepository, keyOf, type Repository, type RepositoryRef } from './repository.ts'
import { type FinalState, isFinal, type RunRow } from './rows.ts'
import type { Slot } from './slot.ts'
import type { QueueEntry, SlotInfo } from './slot-info.ts'
import { acquireCommand, type SlotRequest } from './slot-request.ts'
import type { SlotEvent } from './watch-hub.ts'

/** A run of a list. */
export interface RunToQueue {
  readonly run: RunKey
  readonly runUid?: string
  /** Higher goes first; default 0. */
  readonly priority?: number
  readonly meta?: Readonly<Record<string, string>>
}

/** The most runs of one call: they are decided in as few commits as the store allows. */
const MOST_RUNS = 10_000

/**
 * Durable queues for controllers: entries and slots that need no live process. An entry that gets its slot is *reserved*: claim it, then
 * start the run. Asking again never moves a run, so a controller may repeat any of these at every reconciliation.
 */
export class QueueManager {
  readonly #engine: Engine
  readonly #manager: Manager
  readonly #audits: Audits

  /** Made by the Manager. @internal */
  constructor(engine: Engine, manager: Manager, audits: Audits) {
    this.#engine = engine
    this.#manager = manager
    this.#audits = audits
  }

  /**
   * Rebuilds the store's slots and queues against what the cluster really runs; for the start of a controller. It marks where the store
   * is, iterates `actual`, which does its listing only then, and: adopts what runs and nobody keeps, over the limit if need be; ends what
   * was over by the mark; gives back what has a slot, never started and nobody keeps; queues what waits, in the declared order. Whatever
   * is younger than the mark is left alone, for the listing may be older; so is what a living holder keeps and the listing does not show.
   *
   * Entries that cannot be used are reported one by one and stop nothing. Every change names the lease or sequence that was seen, so all
   * replicas may do it at once, twice, or be killed in the middle. Every repair stands in the log (`event: 'audit'`) and in the `detail`
   * of its event.
   * @returns what differed, and what was done about it
   * @throws ListingFailedError when the listing throws, and then nothing was dropped, queued or given back; the signal's reason;
   * InvalidArgumentError; a retryable SlotkeeperError when the store is away
   */
  initQueues(actual: AsyncIterable<ActualRun>, options?: InitQueuesOptions): Promise<readonly Drift[]> {
    return this.#audits.initQueues(actual, options)
  }

  /**
   * Enqueues runs durably, in the order of the list, and reserves slots for as many as there is room for.
   * @returns what became of each, in the same order
   */
  async addListToRunningQueue(
    repository: Repository,
    runs: readonly (RunKey | Omit<RunToQueue, 'priority'>)[],
    options?: CallOptions,
  ): Promise<readonly EnqueueOutcome[]> {
    return this.#enqueue(
      repository,
      checkRuns(runs).map((run) => (typeof run === 'string' ? { run } : { ...run, priority: 0 })),
      options,
    )
  }

  /** Enqueues runs durably by priority, equals in the order of the list, and reserves slots for as many as there is room for. */
  async addToPendingQueue(
    repository: Repository,
    runs: readonly RunToQueue[],
    options?: CallOptions,
  ): Promise<readonly EnqueueOutcome[]> {
    return this.#enqueue(repository, checkRuns(runs), options)
  }

  /**
   * Ends `finished`, whatever it is at, and returns the slot of the run that got its place in the same commit, for the caller to claim.
   * `undefined`: nobody was next, a worker of another process was, or the run had ended before. Default state: `completed`.
   */
  async removeAndTakeItemFromQueue(
    repository: Repository,
    finished: RunKey,
    options?: CallOptions & { readonly state?: FinalState },
  ): Promise<Slot | undefined> {
    const { key } = describeRepository(repository)
    checkKey(finished, 'run')
    const state = options?.state ?? 'completed'
    if (!isFinal(state))
      throw new InvalidArgumentError(
        `state is ${String(state)}: a run ends as completed, failed, cancelled or expired.`,
      )
    const engine = this.#engine
    for (const slot of engine.slots.of(key, finished)) {
      slot.end('released')
      engine.forget(slot)
    }
    const outcome = await engine.perform(
      { kind: 'finish', repository: key, run: finished, state, ticket: engine.ticket(), outcome: undefined },
      options,
    )
    // A slot of it may have been granted to this Manager while the call was under way.
    if (outcome.kind === 'finished' && outcome.freed > 0)
      for (const slot of engine.slots.of(key, finished)) if (slot.token <= outcome.freed) slot.lose('removed')
    if (outcome.kind !== 'finished' || outcome.successor === undefined) return undefined
    const row = await engine.readRun(key, outcome.successor, options)
    return row?.phase === 'reserved' ? engine.slotOf(row) : undefined
  }

  /** Takes a waiting run out of the queue. `running`: it has a slot, which is left alone. */
  async removeFromQueue(
    ref: RepositoryRef,
    run: RunKey,
    options?: CallOptions,
  ): Promise<{ kind: 'removed' | 'running' | 'absent' }> {
    const repository = keyOf(ref)
    checkKey(run, 'run')
    return this.#engine.perform(
      { kind: 'remove', repository, run, ticket: this.#engine.ticket(), outcome: undefined },
      options,
    )
  }

  /** The same as `manager.acquireSlot`. */
  tryAcquireSlot(request: SlotRequest): Promise<AcquireOutcome> {
    return this.#manager.acquireSlot(request)
  }

  /** The same as `manager.getQueuedPipelineRuns`. */
  queuedPipelineRuns(
    ref: RepositoryRef,
    options?: CallOptions & { readonly first?: number },
  ): Promise<readonly QueueEntry[]> {
    return this.#manager.getQueuedPipelineRuns(ref, options)
  }

  /** The same as `manager.getRunningPipelineRuns`. */
  runningPipelineRuns(ref: RepositoryRef, options?: CallOptions): Promise<readonly SlotInfo[]> {
    return this.#manager.getRunningPipelineRuns(ref, options)
  }

  /** The same as `manager.cleanupRepository`. */
  removeRepository(ref: RepositoryRef, options?: CallOptions): Promise<{ removed: number }> {
    return this.#manager.cleanupRepository(ref, options)
  }

  /**
   * Calls back for everything that happens in a repository, and with `resync` when something may have been missed: then look for
   * yourself. Events are hints: whatever a callback does, it reads again first.
   * @returns a function that ends it; so does the signal, and closing the Manager
   */
  setupWatcher(
    ref: RepositoryRef,
    callback: (event: SlotEvent) => void,
    options?: { readonly signal?: AbortSignal },
  ): Cancel {
    if (typeof callback !== 'function')
      throw new InvalidArgumentError('The callback of setupWatcher is not a function.')
    const engine = this.#engine
    engine.checkOpen()
    const { signal } = options ?? {}
    signal?.throwIfAborted()
    const cancel = engine.hub.listen(keyOf(ref), callback)
    const stop = () => {
      cancel()
      signal?.removeEventListener('abort', stop)
    }
    signal?.addEventListener('abort', stop, { once: true })
    return stop
  }

  async #enqueue(
    repository: Repository,
    runs: readonly RunToQueue[],
    options: CallOptions | undefined,
  ): Promise<readonly EnqueueOutcome[]> {
    const commands = runs.map((run) =>
      acquireCommand(this.#engine, { ...run, repository, durable: true }, 'enqueue'),
    )
    const results = await this.#engine.performAll(commands, options)
    return results.map((result, at) => {
      if (result.status === 'rejected') throw result.reason
      return this.#outcome((commands[at] as AcquireCommand).run, result.value)
    })
  }

  #outcome(run: RunKey, result: AcquireResult): EnqueueOutcome {
    switch (result.kind) {
      case 'granted':
        return this.#granted(run, result.row)
      case 'waiting':
        return { kind: 'waiting', run, place: result.place }
      case 'held-elsewhere':
        return { kind: 'held-elsewhere', run, holder: result.holder, since: new Date(result.since) }
      case 'refused':
        return { kind: 'refused', run, reason: result.reason }
      default:
        throw new CallTimeoutError(`Enqueueing ${run}`, this.#engine.callTimeoutMs)
    }
  }

  #granted(run: RunKey, row: RunRow): EnqueueOutcome {
    const known = this.#engine.inHand(row)
    const slot = known ?? this.#engine.slotOf(row)
    // A worker's, who has not heard of it yet: whoever enqueues does not get it.
    if (known === undefined && !row.durable) slot.isGiven = false
    return { kind: row.phase === 'running' ? 'running' : 'reserved', run, slot }
  }
}

function checkRuns<T>(runs: readonly T[]): readonly T[] {
  if (!Array.isArray(runs)) throw new InvalidArgumentError('runs is not an array.')
  if (runs.length > MOST_RUNS)
    throw new InvalidArgumentError(`runs has ${runs.length} entries: one call takes up to ${MOST_RUNS}.`)
  const seen = new Set<unknown>()
  for (const run of runs as readonly (RunKey | RunToQueue)[]) {
    const key = typeof run === 'object' && run !== null ? run.run : run
    checkKey(key, 'run')
    if (seen.has(key)) throw new InvalidArgumentError(`runs names ${key} twice.`)
    seen.add(key)
  }
  return runs
}
