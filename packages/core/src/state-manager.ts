import type { CallOptions } from './call-options.ts'
import type { RunKey } from './keys.ts'
import type { Manager } from './manager.ts'
import type { RepositoryRef } from './repository.ts'
import type { RunState } from './rows.ts'

/** Options of a change of state. */
export interface StateOptions extends CallOptions {
  /** The life of the run that the state is about. */
  readonly runUid?: string
}

/** Where runs are in their lives. States only go forward within an attempt, and never free or take a slot. */
export class StateManager {
  readonly #manager: Manager

  /** Made by the Manager. @internal */
  constructor(manager: Manager) {
    this.#manager = manager
  }

  /** Notes that a run waits. @returns the state that the run has now */
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
}
