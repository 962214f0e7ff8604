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

  updateToQueued(ref: RepositoryRef, run: RunKey, options?: StateOptions): Promise<RunState | undefined> {
    return this.#manager.setPipelineRunState(ref, run, 'queued', options)
  }

  updateToStarted(ref: RepositoryRef, run: RunKey, options?: StateOptions): Promise<RunState | undefined> {
    return this.#manager.setPipelineRunState(ref, run, 'started', options)
  }

  updateToCompleted(ref: RepositoryRef, run: RunKey, options?: StateOptions): Promise<RunState | undefined> {
    return this.#manager.setPipelineRunState(ref, run, 'completed', options)
  }

  updateToFailed(ref: RepositoryRef, run: RunKey, options?: StateOptions): Promise<RunState | undefined> {
    return this.#manager.setPipelineRunState(ref, run, 'failed', options)
  }

  updateToCancelled(ref: RepositoryRef, run: RunKey, options?: StateOptions): Promise<RunState | undefined> {
    return this.#manager.setPipelineRunState(ref, run, 'cancelled', options)
  }

  async isQueued(ref: RepositoryRef, run: RunKey, options?: CallOptions): Promise<boolean> {
    return (await this.getState(ref, run, options)) === 'queued'
  }

  async isStarted(ref: RepositoryRef, run: RunKey, options?: CallOptions): Promise<boolean> {
    return (await this.getState(ref, run, options)) === 'started'
  }

  async isCompleted(ref: RepositoryRef, run: RunKey, options?: CallOptions): Promise<boolean> {
    return (await this.getState(ref, run, options)) === 'completed'
  }

  /** `undefined` = unknown. */
  getState(ref: RepositoryRef, run: RunKey, options?: CallOptions): Promise<RunState | undefined> {
    return this.#manager.getPipelineRunState(ref, run, options)
  }
}
