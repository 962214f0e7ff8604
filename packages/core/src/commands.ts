/**
 * What callers ask of a domain. A command is plain data and carries every id that it needs, so that it can be decided again after a
 * conflict and asked again after a lost answer. `decide` writes the `outcome`.
 */
import type { HolderId, RepositoryKey, RunKey } from './keys.ts'
import type { Audit } from './repair/audit.ts'
import type { FinalState, LimitProposal, RepositoryState, RunRow, RunState } from './rows.ts'

/** Where in the queue an entry is: exactly, or behind at least so many minus one. */
export type Place = number | { readonly atLeast: number }

/** What every command carries. */
export interface Base {
  readonly repository: RepositoryKey
  /** Names this command; new for every call, the same when it is asked again. Sorts after earlier ones of the same caller. */
  readonly ticket: string
}

/** A command that gives a row to a holder. */
export interface Timed {
  /** Filled in when it is sent: a holder that dies is replaced by the next one of the same Manager. */
  holder: HolderId
  /** Store time after which the command does nothing, so that a delayed duplicate cannot take a slot. 0 = for ever. */
  validUntil: number
}

/** The answer to a command that came after its `validUntil`. */
export interface TooLate {
  readonly kind: 'too-late'
}
/** The answer to a command whose holder is dead: nothing was granted to it. */
export interface HolderDead {
  readonly kind: 'holder-dead'
}
/** The run is somebody else's. */
export interface HeldElsewhere {
  readonly kind: 'held-elsewhere'
  readonly holder: HolderId | undefined
  /** Wall time. */
  readonly since: number
}

/** Asks for a slot. */
export interface AcquireCommand extends Base, Timed {
  readonly kind: 'acquire'
  readonly run: RunKey
  /** `try`: now or not at all. `wait`: queue until granted. `enqueue`: durable entries of a list, granted as reservations. */
  readonly mode: 'try' | 'wait' | 'enqueue'
  readonly proposal: LimitProposal
  readonly runUid: string | undefined
  readonly durable: boolean
  readonly priority: number
  readonly maxHoldMs: number
  readonly claimTimeoutMs: number
  readonly leaseTtlMs: number
  readonly meta: Readonly<Record<string, string>> | undefined
  /** Set when a rebuild enqueues what its controller had lost. */
  readonly audit?: Audit | undefined
  outcome: AcquireResult | undefined
}
/** Why nothing was granted or enqueued. */
export type Refusal = 'limit' | 'queue' | 'paused' | 'draining' | 'removed' | 'finished' | 'absent'
/**
 * A row that the command led to. `sequence` names the attempt and `token` the grant, for the row itself may go on in the same batch.
 * `replaced`: the ticket of an older wait of the same Manager that this one took over.
 */
export interface Given {
  readonly row: RunRow
  readonly sequence: number
  readonly token: number
  readonly replaced: string | undefined
}
/** What asking for a slot, or adopting one, led to. */
export type AcquireResult =
  | (Given & { readonly kind: 'granted'; readonly again: boolean })
  | (Given & { readonly kind: 'waiting'; readonly place: Place })
  /** A newer wait of the same Manager took over its place. */
  | { readonly kind: 'superseded' }
  | { readonly kind: 'already-held'; readonly row: RunRow }
  | { readonly kind: 'refused'; readonly reason: Refusal; readonly running: number; readonly limit: number }
  | HeldElsewhere
  | HolderDead
  | TooLate

/** Makes a reservation a running slot of `holder`. */
export interface ClaimCommand extends Base, Timed {
  readonly kind: 'claim'
  readonly run: RunKey
  readonly token: number
  outcome: ClaimResult | undefined
}
/** The lease that the command names is no slot’s any more: another grant followed, it ran out, or it was removed. */
export type Lost = { readonly kind: 'lost'; readonly reason: 'stale-lease' | 'expired' | 'removed' }
/** What became of a claim; `row` is the slot, running for the caller’s holder. */
export type ClaimResult =
  | { readonly kind: 'running'; readonly row: RunRow }
  | HeldElsewhere
  | Lost
  | HolderDead
  | TooLate

/**
 * Takes over a slot that nobody keeps. With `beyond`, also makes a slot for a run that provably runs, over the limit if need be; a row of
 * another `runUid` is left alone.
 */
export interface AdoptCommand extends Base, Timed {
  readonly kind: 'adopt'
  readonly run: RunKey
  readonly beyond:
    | { readonly runUid: string | undefined; readonly claimTimeoutMs: number; readonly leaseTtlMs: number }
    | undefined
  readonly audit?: Audit | undefined
  outcome: AcquireResult | undefined
}

/** Gives a durable slot back because its start provably did not happen: the run waits again at its old place. */
export interface RequeueCommand extends Base {
  readonly kind: 'requeue'
  readonly run: RunKey
  readonly token: number
  /** How long it is parked first, 0 for not at all. */
  readonly delayMs: number
  readonly audit?: Audit | undefined
  outcome: RequeueResult | undefined
}
/** What became of giving a slot back; `row` waits again at its old place. */
export type RequeueResult =
  | { readonly kind: 'requeued'; readonly row: RunRow; readonly place: Place }
  | { readonly kind: 'not-durable' }
  | Lost

/** Ends one grant of a slot. */
export interface ReleaseCommand extends Base {
  readonly kind: 'release'
  readonly run: RunKey
  readonly token: number
  readonly state: FinalState
  /** Set when somebody other than its owner ends it. */
  readonly force: Audit | undefined
  outcome: ReleaseResult | undefined
}
/** What became of a release; `promoted`: the run that got the place in the same commit. */
export type ReleaseResult =
  /** `freed`: by this very decision; a command that is asked again reads what it did then. */
  | { readonly kind: 'released'; readonly freed: boolean; promoted: readonly RunKey[] }
  | { readonly kind: 'already-released' }
  | Lost

/** Ends a run whatever it is at, and tells who got its place. */
export interface FinishCommand extends Base {
  readonly kind: 'finish'
  readonly run: RunKey
  readonly state: FinalState
  outcome: FinishResult | undefined
}
/** What became of ending a run; `successor`: the run that got its place in the same commit. */
export type FinishResult =
  /** `freed`: the token of the slot of it that this very decision ended, or 0. */
  | { readonly kind: 'finished'; readonly freed: number; successor: RunKey | undefined }
  | { readonly kind: 'already-released' }

/** Ends what the ticket `of` led to, entry or slot, because its caller is gone. */
export interface WithdrawCommand extends Base {
  readonly kind: 'withdraw'
  readonly run: RunKey
  readonly of: string
  /** Nobody knows whether its run was started: a durable slot is left as an orphan. Else it provably was not. */
  readonly orphan: boolean
  outcome: { readonly kind: 'withdrawn' | 'absent' } | undefined
}

/** Takes a waiting run out of the queue. */
export interface RemoveCommand extends Base {
  readonly kind: 'remove'
  readonly run: RunKey
  /** Only the attempt that was seen, with how it ended; without it whatever waits, as `cancelled`. */
  readonly seen?: { readonly sequence: number; readonly state: FinalState } | undefined
  readonly audit?: Audit | undefined
  outcome: { readonly kind: 'removed' | 'running' | 'absent' } | undefined
}

/** Forgets the record of a run that neither waits nor holds. */
export interface ForgetCommand extends Base {
  readonly kind: 'forget'
  readonly run: RunKey
  outcome: { readonly kind: 'forgotten' | 'busy' | 'absent' } | undefined
}

/** Notes where a run is; never frees or takes a slot. */
export interface RunStateCommand extends Base {
  readonly kind: 'run-state'
  readonly run: RunKey
  readonly runUid: string | undefined
  readonly state: RunState
  outcome:
    | { readonly kind: 'set' | 'unchanged' | 'backwards'; readonly state: RunState | undefined }
    | undefined
}

/** Pauses, drains or activates a repository. */
export interface RepositoryStateCommand extends Base {
  readonly kind: 'repository-state'
  readonly state: RepositoryState
  /** Stands in the event. */
  readonly audit?: Audit | undefined
  outcome: { readonly kind: 'set' | 'removed' } | undefined
}

/** Says a limit without asking for a slot. */
export interface LimitCommand extends Base {
  readonly kind: 'limit'
  readonly source: 'local' | 'global'
  readonly proposal: LimitProposal
  /** Stands in the event. */
  readonly audit?: Audit | undefined
  outcome: { readonly kind: 'set' | 'older' | 'removed'; readonly limit: number } | undefined
}

/**
 * Begins to delete a repository with all its rows; asked again until it is `absent`. `runs` = live and waiting ones still there. Who asks
 * again says that the removal has `begun`: then what began in the meantime, the repository's next life, is left alone.
 */
export interface RemoveRepositoryCommand extends Base {
  readonly kind: 'remove-repository'
  readonly uid: string | undefined
  readonly begun?: boolean
  outcome: { readonly kind: 'removed'; readonly runs: number } | { readonly kind: 'absent' } | undefined
}

/** Asks to be told of this domain's events for a while; with 0 it only has the domain decided. */
export interface WatchCommand extends Base {
  readonly kind: 'watch'
  readonly forMs: number
  outcome: { readonly kind: 'watched' } | undefined
}

/** Everything that a domain can be asked for. */
export type Command =
  | AcquireCommand
  | ClaimCommand
  | AdoptCommand
  | RequeueCommand
  | ReleaseCommand
  | FinishCommand
  | WithdrawCommand
  | RemoveCommand
  | ForgetCommand
  | RunStateCommand
  | RepositoryStateCommand
  | LimitCommand
  | RemoveRepositoryCommand
  | WatchCommand
