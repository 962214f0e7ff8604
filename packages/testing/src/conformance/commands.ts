import type {
  AcquireCommand,
  AdoptCommand,
  ClaimCommand,
  FinishCommand,
  HolderId,
  LimitCommand,
  ReleaseCommand,
  RemoveCommand,
  RemoveRepositoryCommand,
  RepositoryKey,
  RepositoryStateCommand,
  RequeueCommand,
  RunKey,
  RunStateCommand,
  WatchCommand,
  WithdrawCommand,
} from '@slotkeeper/core/driver'

/** The repository and the run that tests of the contract work on unless they say otherwise. */
export const API: RepositoryKey = 'acme/api'

interface Named {
  readonly ticket: string
  readonly repository?: RepositoryKey
}
interface OfRun extends Named {
  readonly run: RunKey
}
interface Timed {
  readonly holder: HolderId
  readonly validUntil?: number
}

const NOBODY = '' as HolderId

/** Commands with everything filled in that a test does not care about. */
export function acquire(of: OfRun & Partial<AcquireCommand>): AcquireCommand {
  return {
    kind: 'acquire',
    repository: API,
    mode: 'try',
    holder: NOBODY,
    validUntil: 0,
    proposal: { limit: 1 },
    runUid: undefined,
    durable: of.mode === 'enqueue',
    priority: 0,
    maxHoldMs: 0,
    claimTimeoutMs: 60_000,
    leaseTtlMs: 3_600_000,
    meta: undefined,
    outcome: undefined,
    ...of,
  }
}

/** A durable entry of a list. */
export function enqueue(of: OfRun & Partial<AcquireCommand>): AcquireCommand {
  return acquire({ ...of, mode: 'enqueue' })
}

export function claim(of: OfRun & Timed & { readonly token: number }): ClaimCommand {
  return { kind: 'claim', repository: API, validUntil: 0, outcome: undefined, ...of }
}

export function adopt(of: OfRun & Timed & Partial<Pick<AdoptCommand, 'beyond'>>): AdoptCommand {
  return { kind: 'adopt', repository: API, validUntil: 0, beyond: undefined, outcome: undefined, ...of }
}

export function requeue(of: OfRun & { readonly token: number; readonly delayMs?: number }): RequeueCommand {
  return { kind: 'requeue', repository: API, delayMs: 0, outcome: undefined, ...of }
}

export function release(of: OfRun & { readonly token: number } & Partial<ReleaseCommand>): ReleaseCommand {
  return { kind: 'release', repository: API, state: 'completed', force: undefined, outcome: undefined, ...of }
}

export function finish(of: OfRun & Partial<FinishCommand>): FinishCommand {
  return { kind: 'finish', repository: API, state: 'completed', outcome: undefined, ...of }
}

export function withdraw(of: OfRun & { readonly of: string; readonly orphan?: boolean }): WithdrawCommand {
  return { kind: 'withdraw', repository: API, orphan: false, outcome: undefined, ...of }
}

export function remove(of: OfRun & Partial<Pick<RemoveCommand, 'seen' | 'audit'>>): RemoveCommand {
  return { kind: 'remove', repository: API, outcome: undefined, ...of }
}

export function runState(
  of: OfRun & Pick<RunStateCommand, 'state'> & { readonly runUid?: string },
): RunStateCommand {
  return { kind: 'run-state', repository: API, runUid: undefined, outcome: undefined, ...of }
}

export function repositoryState(of: Named & Pick<RepositoryStateCommand, 'state'>): RepositoryStateCommand {
  return { kind: 'repository-state', repository: API, outcome: undefined, ...of }
}

export function limit(
  of: Named & Pick<LimitCommand, 'proposal'> & { readonly source?: 'local' | 'global' },
): LimitCommand {
  return { kind: 'limit', repository: API, source: 'local', outcome: undefined, ...of }
}

export function removeRepository(of: Named & { readonly uid?: string }): RemoveRepositoryCommand {
  return { kind: 'remove-repository', repository: API, uid: undefined, outcome: undefined, ...of }
}

export function watch(of: Named & { readonly forMs: number }): WatchCommand {
  return { kind: 'watch', repository: API, outcome: undefined, ...of }
}
