/**
 * What somebody outside saw, in the order in which it was seen. `at` grows along the history, on any clock that all who write share;
 * a call is seen twice, when it is asked and when it is answered, and takes effect somewhere between.
 */
import type { FinalState, RunState } from '@slotkeeper/core/driver'

interface Seen {
  readonly at: number
}

/** Of a repository and a run: keys as the caller spelled them. */
interface OfRun extends Seen {
  readonly repository: string
  readonly run: string
}

/** A limit is about to be set, or was. `call` pairs the two. */
export interface LimitEntry extends Seen {
  readonly kind: 'limit-asked' | 'limit-answered'
  readonly call: number
  readonly repository: string
  /** 0 = unlimited. */
  readonly limit: number
}

/** Somebody asks for a slot. */
export interface AskedEntry extends OfRun {
  readonly kind: 'asked'
  readonly call: number
  readonly manager: string
  /** `try` never waits; `wait` is a worker's; `enqueue` a durable entry. */
  readonly mode: 'try' | 'wait' | 'enqueue'
  readonly priority: number
}

/** The run was seen in the queue: the call of that number need not go on for it to be granted in its turn. */
export interface QueuedEntry extends OfRun {
  readonly kind: 'queued'
  readonly call: number
}

/** A slot is in somebody's hands. `again`: the caller was told that he had it already. */
export interface GrantedEntry extends OfRun {
  readonly kind: 'granted'
  readonly call: number
  readonly manager: string
  readonly lease: string
  readonly token: bigint
  readonly number: number | undefined
  readonly again: boolean
}

/** A call ended without a slot: `refused` surely took nothing; after `failed` nobody outside knows. */
export interface DeniedEntry extends OfRun {
  readonly kind: 'refused' | 'failed'
  readonly call: number
  readonly reason: string
}

/** From here on the slot is not proved to be held: a release begins, its signal aborted, its holder could not prove it. */
export interface GivenUpEntry extends OfRun {
  readonly kind: 'given-up'
  readonly lease: string
  readonly why: 'release' | 'lost'
}

/** A release was answered. `freed`: it said that it freed the slot. */
export interface ReleasedEntry extends OfRun {
  readonly kind: 'released'
  readonly lease: string
  readonly freed: boolean
}

/** The process of a Manager died, or its work stopped: it holds nothing and waits for nothing any more. */
export interface CrashedEntry extends Seen {
  readonly kind: 'crashed'
  readonly manager: string
}

/** Somebody read the state of a run; `asked` is when. `attempt` tells lives of a run apart, where the reader can. */
export interface StateEntry extends OfRun {
  readonly kind: 'state'
  readonly asked: number
  readonly attempt: string
  readonly state: RunState | FinalState | undefined
}

/** What the store shows of a run when all is over. */
export interface FoundEntry extends OfRun {
  readonly kind: 'found'
  readonly as: 'waiting' | 'slot' | 'ended' | 'absent'
}

/** One thing that was seen, in the order of seeing. */
export type HistoryEntry =
  | LimitEntry
  | AskedEntry
  | QueuedEntry
  | GrantedEntry
  | DeniedEntry
  | GivenUpEntry
  | ReleasedEntry
  | CrashedEntry
  | StateEntry
  | FoundEntry
