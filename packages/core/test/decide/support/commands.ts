import type {
  AcquireCommand,
  AdoptCommand,
  ClaimCommand,
  FinishCommand,
  LimitCommand,
  ReleaseCommand,
  RemoveCommand,
  RequeueCommand,
  RunStateCommand,
  WithdrawCommand,
} from '../../../src/commands.ts'
import type { RepositoryKey, RunKey } from '../../../src/keys.ts'
import type { RunRow, RunState } from '../../../src/rows.ts'
import { type Commit, World } from './world.ts'

/** The one repository of examples. */
export const REPOSITORY: RepositoryKey = 'acme/0'

/** A world for examples: callers are numbers, runs single letters, and every command gets a new ticket unless it is told one. */
export class Scene {
  readonly world: World

  constructor(world: World = new World([])) {
    this.world = world
  }

  send(...commands: Parameters<World['transact']>[1]): Commit {
    return this.world.transact(REPOSITORY, commands)
  }

  row(run: string): RunRow | undefined {
    return this.world.store.domain(REPOSITORY).runs.get(keyOf(run))
  }

  acquire(
    caller: number,
    run: string,
    more: Partial<AcquireCommand> & { limit?: number } = {},
  ): AcquireCommand {
    const { limit = 1, ...rest } = more
    return {
      kind: 'acquire',
      ...this.#base(caller, run),
      ...this.#timed(caller),
      mode: 'wait',
      proposal: { limit },
      runUid: undefined,
      durable: rest.mode === 'enqueue',
      priority: 0,
      maxHoldMs: 0,
      claimTimeoutMs: 40,
      leaseTtlMs: 60,
      meta: undefined,
      outcome: undefined,
      ...rest,
    }
  }

  claim(caller: number, run: string): ClaimCommand {
    return {
      kind: 'claim',
      ...this.#base(caller, run),
      ...this.#timed(caller),
      token: this.row(run)?.token ?? 0,
      outcome: undefined,
    }
  }

  adopt(caller: number, run: string, beyond = false): AdoptCommand {
    const how = beyond ? { runUid: undefined, claimTimeoutMs: 40, leaseTtlMs: 60 } : undefined
    return {
      kind: 'adopt',
      ...this.#base(caller, run),
      ...this.#timed(caller),
      beyond: how,
      outcome: undefined,
    }
  }

  requeue(caller: number, run: string): RequeueCommand {
    return {
      kind: 'requeue',
      ...this.#base(caller, run),
      token: this.row(run)?.token ?? 0,
      delayMs: 0,
      outcome: undefined,
    }
  }

  release(caller: number, run: string): ReleaseCommand {
    return {
      kind: 'release',
      ...this.#base(caller, run),
      token: this.row(run)?.token ?? 0,
      state: 'completed',
      force: undefined,
      outcome: undefined,
    }
  }

  finish(caller: number, run: string): FinishCommand {
    return { kind: 'finish', ...this.#base(caller, run), state: 'completed', outcome: undefined }
  }

  withdraw(caller: number, run: string, of: string, orphan = false): WithdrawCommand {
    return { kind: 'withdraw', ...this.#base(caller, run), of, orphan, outcome: undefined }
  }

  remove(caller: number, run: string): RemoveCommand {
    return { kind: 'remove', ...this.#base(caller, run), outcome: undefined }
  }

  runState(caller: number, run: string, state: RunState): RunStateCommand {
    return { kind: 'run-state', ...this.#base(caller, run), runUid: undefined, state, outcome: undefined }
  }

  limit(caller: number, limit: number): LimitCommand {
    return {
      kind: 'limit',
      repository: REPOSITORY,
      ticket: this.world.callers.ticket(caller),
      source: 'local',
      proposal: { limit },
      outcome: undefined,
    }
  }

  #base(caller: number, run: string) {
    return { repository: REPOSITORY, run: keyOf(run), ticket: this.world.callers.ticket(caller) }
  }

  #timed(caller: number) {
    return { holder: this.world.callers.holder(caller), validUntil: 0 }
  }
}

function keyOf(run: string): RunKey {
  return `acme/${run}`
}
