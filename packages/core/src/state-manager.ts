import type { CallOptions } from './call-options.ts'
import type { Engine } from './engine.ts'
import { checkKey, type RunKey } from './keys.ts'
import type { Manager } from './manager.ts'
import { keyOf, type RepositoryRef } from './repository.ts'
import type { RunState } from './rows.ts'

/** Options of a change of state. */
export interface StateOptions extends CallOptions {
  /** The life of the run that the state is about. */
  readonly runUid?: string
}

/** When the last attempt of a run did what, by the store's wall clock; what did not happen yet is `undefined`. */
export interface RunTimes {
  readonly state: RunState | undefined
  /** It was first enqueued, or first asked for. */
  readonly queuedAt: Date | undefined
  /** It got its slot; for a durable run that is its reservation. */
  readonly grantedAt: Date | undefined
  /** Its slot was claimed, or it was said to have started. */
  readonly startedAt: Date | undefined
  readonly endedAt: Date | undefined
  /** From `queuedAt` to its start; while it waits, until now; if it never started, until its end. */
  readonly queueWaitMs: number | undefined
  /** From its start to its end; while it runs, until now. */
  readonly runMs: number | undefined
}

/** Where runs are in their lives. States only go forward within an attempt, and never free or take a slot. */
export class StateManager {
  readonly #engine: Engine
  readonly #manager: Manager

  /** Made by the Manager. @internal */
  constructor(engine: Engine, manager: Manager) {
    this.#engine = engine
    this.#manager = manager
  }

  /** Notes that a run waits. Each `updateTo…` answers with the state that the run has now: the one before, where the new one would be a step back. */
  updateToQueued(ref: RepositoryRef, run: RunKey, options?: StateOptions): Promise<RunState | undefined> {
    return this.#manager.setPipelineRunState(ref, run, 'queued', options)
  }

  /** Notes that a run works. @returns the state that the run has now */
  updateToStarted(ref: RepositoryRef, run: RunKey, options?: StateOptions): Promise<RunState | undefined> {
    return this.#manager.setPipelineRunState(ref, run, 'started', options)
  }

  /** Notes that a run ended well. @returns the state that the run has now */
  updateToCompleted(ref: RepositoryRef, run: RunKey, options?: StateOptions): Promise<RunState | undefined> {
    return this.#manager.setPipelineRunState(ref, run, 'completed', options)
  }

  /** Notes that a run failed. @returns the state that the run has now */
  updateToFailed(ref: RepositoryRef, run: RunKey, options?: StateOptions): Promise<RunState | undefined> {
    return this.#manager.setPipelineRunState(ref, run, 'failed', options)
  }

  /** Notes that a run was ended by somebody. @returns the state that the run has now */
  updateToCancelled(ref: RepositoryRef, run: RunKey, options?: StateOptions): Promise<RunState | undefined> {
    return this.#manager.setPipelineRunState(ref, run, 'cancelled', options)
  }

  /** Whether it waits; false when it is unknown. */
  async isQueued(ref: RepositoryRef, run: RunKey, options?: CallOptions): Promise<boolean> {
    return (await this.getState(ref, run, options)) === 'queued'
  }

  /** Whether it works; false when it is unknown. */
  async isStarted(ref: RepositoryRef, run: RunKey, options?: CallOptions): Promise<boolean> {
    return (await this.getState(ref, run, options)) === 'started'
  }

  /** Whether it ended well; false when it is unknown. */
  async isCompleted(ref: RepositoryRef, run: RunKey, options?: CallOptions): Promise<boolean> {
    return (await this.getState(ref, run, options)) === 'completed'
  }

  /** `undefined` = unknown. */
  getState(ref: RepositoryRef, run: RunKey, options?: CallOptions): Promise<RunState | undefined> {
    return this.#manager.getPipelineRunState(ref, run, options)
  }

  /** When the run's last attempt was queued, granted, started and over, and how long it waited and ran. `undefined` = unknown. */
  async getTimes(ref: RepositoryRef, run: RunKey, options?: CallOptions): Promise<RunTimes | undefined> {
    const repository = keyOf(ref)
    checkKey(run, 'run')
    const { driver } = this.#engine
    const { runs, wall } = await this.#engine.read(`Reading ${repository} ${run}`, options, (signal) =>
      driver.read({ kind: 'runs', runs: [{ repository, run }] }, signal),
    )
    const [row] = runs
    if (row === undefined) return undefined
    const { state, queuedAt, acquiredAt, startedAt, endedAt } = row
    const waitedUntil = startedAt ?? endedAt ?? wall
    return {
      state,
      queuedAt: dateOf(queuedAt),
      grantedAt: dateOf(acquiredAt),
      startedAt: dateOf(startedAt),
      endedAt: dateOf(endedAt),
      queueWaitMs: queuedAt === undefined ? undefined : Math.max(0, waitedUntil - queuedAt),
      runMs: startedAt === undefined ? undefined : Math.max(0, (endedAt ?? wall) - startedAt),
    }
  }

  /**
   * Forgets what is known of a run that is over, before its record's time (`recordTtlMs`): do it when the run itself is deleted. From then
   * on its state is unknown, and the same run may be asked for again, under the same uid too. `busy`: it waits or holds a slot, and stays.
   */
  async cleanup(
    ref: RepositoryRef,
    run: RunKey,
    options?: CallOptions,
  ): Promise<{ kind: 'forgotten' | 'busy' | 'absent' }> {
    const repository = keyOf(ref)
    checkKey(run, 'run')
    const ticket = this.#engine.ticket()
    return this.#engine.perform({ kind: 'forget', repository, run, ticket, outcome: undefined }, options)
  }
}

function dateOf(wall: number | undefined): Date | undefined {
  return wall === undefined ? undefined : new Date(wall)
}
