/**
 * The rows that a store keeps, and what always holds for them. Stores keep them exactly as they are; only `decide` changes them.
 *
 * Two clocks appear. *Store time* is milliseconds on the store's own clock and decides everything. Within a domain it never goes back,
 * and it never runs faster than real time; between domains it may differ by a little. So a row may be found due late, never early.
 * *Wall time* is Unix milliseconds, for people, and decides nothing.
 */
import type { HolderId, RepositoryKey, RunKey } from './keys.ts'
import type { SlotNumbers } from './slot-numbers.ts'

/** `paused`: nothing new is granted, claims are allowed. `draining`: enqueues are refused as well. */
export type RepositoryState = 'active' | 'paused' | 'draining'
/** How a run can end. */
export type FinalState = 'completed' | 'failed' | 'cancelled' | 'expired'
/** Where a run is in its attempt; it never goes backwards within one. */
export type RunState = 'queued' | 'started' | FinalState

/** Somebody's word about a limit. Of two by one source with a generation, the higher generation wins. */
export interface LimitProposal {
  /** `null` = no opinion, 0 = unlimited, else at most so many live slots. */
  readonly limit: number | null
  readonly uid?: string | undefined
  readonly generation?: number | undefined
}

/** One repository. `live` and `numbers` are counted from the rows in the commit that changes them. */
export interface RepositoryRow {
  readonly repository: RepositoryKey
  /** The domain that decides for it; today its own key. */
  readonly domain: string
  /** `removing`: its rows are being deleted, nothing is granted. `removed`: only the uids that may not come back are left. */
  status: 'present' | 'removing' | 'removed'
  state: RepositoryState
  /** What the repository itself says of its limit, and what a global one says. The local word wins where it has one. */
  local: LimitProposal | undefined
  global: LimitProposal | undefined
  /** Uids of earlier lives; a message from one of them changes nothing. */
  removedUids: readonly string[]
  /** The highest fencing token granted. Never falls; a safe integer. */
  lastToken: number
  /** The highest sequence given to a run. Never falls. */
  lastSequence: number
  /** Rows in phase `reserved`, `running` or `orphaned`. */
  live: number
  /** Those of the live ones in phase `reserved`, and in phase `orphaned`; the others run. */
  reserved: number
  orphaned: number
  /** Rows in phase `waiting`, and those of them that are parked, so not eligible. */
  waiting: number
  parked: number
  /** Slot numbers in use, as a bitmap: bit `i` of word `w` is number `32 w + i + 1`. */
  numbers: SlotNumbers
  /** Store time after which a `removed` row may go. */
  dueAt: number | undefined
}

/**
 * What a run is at, and how the words of the documentation map to it: a row in phase `waiting` is an entry of the queue; in
 * `reserved`, `running` or `orphaned` it is a slot; in `record` it neither waits nor holds, and tells what became of the last attempt.
 */
export type Phase = 'waiting' | 'reserved' | 'running' | 'orphaned' | 'record'

/** How the last attempt stopped waiting or holding. */
export type Ending = 'released' | 'withdrawn' | 'removed' | 'expired'

/** One run of one repository: its place in the queue, its slot or its record. One row, so that no run can be in two places. */
export interface RunRow {
  readonly repository: RepositoryKey
  readonly run: RunKey
  phase: Phase
  runUid: string | undefined
  /** The caller's attempt that this row came from. Tickets of one caller sort in the order in which they were made. */
  ticket: string
  /** The ticket of the call that the slot was given to, where that is not `ticket`. */
  grantedTo: string | undefined
  /** A durable row needs no live process. */
  durable: boolean
  /** Always set on a worker's row; on a durable one only while `running`. */
  holder: HolderId | undefined
  /** Higher goes first. */
  priority: number
  /** Given at the first enqueue of an attempt and kept: lower goes first among equals. */
  sequence: number
  /** Fencing token of the slot, or of the last one; 0 before the first. It names the lease. */
  token: number
  /** Slot number while a slot, 0 for none. */
  number: number
  meta: Readonly<Record<string, string>> | undefined
  /**
   * Store time at which something must happen to this row: claim over (`reserved`), longest hold over (`running`), nobody's for too
   * long (`orphaned`), park over (`waiting`: set means parked, so not eligible), may be forgotten (`record`).
   */
  dueAt: number | undefined
  /** Store time at which the longest hold is over. */
  holdUntil: number | undefined
  /** Longest hold in ms, 0 for none; how long a reservation waits to be claimed; how long an orphan is kept. */
  maxHoldMs: number
  claimTimeoutMs: number
  leaseTtlMs: number
  /** How often the entry was parked since it was enqueued; the back-off grows with it. */
  parks: number
  state: RunState | undefined
  /** Wall times of the attempt. */
  queuedAt: number | undefined
  acquiredAt: number | undefined
  startedAt: number | undefined
  endedAt: number | undefined
  ending: Ending | undefined
  /** The command that ended the attempt, so that its repetition is recognised. */
  endedBy: string | undefined
  /** The run that got its place in the same commit. */
  successor: RunKey | undefined
}

/** What a row is before anything is known of it: for stores that keep only what is different. */
export const blankRun: Readonly<Omit<RunRow, 'repository' | 'run'>> = Object.freeze({
  phase: 'waiting',
  runUid: undefined,
  ticket: '',
  grantedTo: undefined,
  durable: false,
  holder: undefined,
  priority: 0,
  sequence: 0,
  token: 0,
  number: 0,
  meta: undefined,
  dueAt: undefined,
  holdUntil: undefined,
  maxHoldMs: 0,
  claimTimeoutMs: 0,
  leaseTtlMs: 0,
  parks: 0,
  state: undefined,
  queuedAt: undefined,
  acquiredAt: undefined,
  startedAt: undefined,
  endedAt: undefined,
  ending: undefined,
  endedBy: undefined,
  successor: undefined,
})

/** One Manager's claim to be alive. */
export interface HolderRow {
  readonly holder: HolderId
  /**
   * Store time up to which the last heartbeat reaches. Past it the holder is overdue: the next who notices marks it dead. `Infinity`
   * where the store itself ends holders: then the row is live while it exists.
   */
  readonly expiresAt: number
  /** Marked dead. Death is final. */
  readonly dead: boolean
  /** Raised whenever somebody took a slot from it. */
  readonly epoch: number
}

/** What happened, one for each change. */
export type StoreEventKind =
  | 'enqueued'
  | 'granted'
  | 'claimed'
  | 'requeued'
  | 'parked'
  | 'unparked'
  | 'withdrawn'
  | 'released'
  | 'expired'
  | 'orphaned'
  | 'adopted'
  | 'removed'
  | 'limit'
  | 'repository-state'
  | 'run-state'

/** One change, as watchers hear of it and as a history keeps it. */
export interface StoreEvent {
  readonly kind: StoreEventKind
  readonly repository: RepositoryKey
  readonly run?: RunKey | undefined
  /** The holder that the row belonged to or belongs to now. */
  readonly holder?: HolderId | undefined
  readonly ticket?: string | undefined
  readonly phase?: Phase | undefined
  readonly token?: number | undefined
  readonly number?: number | undefined
  /** Wall time. */
  readonly at: number
  /** The new limit or state, or who ended a slot by force and why. */
  readonly detail?: Readonly<Record<string, string | number>> | undefined
}

/** The effective limit: the local word, else the global one, else none. 0 = unlimited. */
export function limitOf(row: RepositoryRow): number {
  return row.local?.limit ?? row.global?.limit ?? 0
}

/** Whether the phase is a slot's. */
export function isSlot(phase: Phase): boolean {
  return phase === 'running' || phase === 'reserved' || phase === 'orphaned'
}

/** Whether a state is the end of an attempt. */
export function isFinal(state: RunState | undefined): state is FinalState {
  // The first look spares the engine four comparisons of text with what is none.
  return (
    state !== undefined &&
    (state === 'completed' || state === 'failed' || state === 'cancelled' || state === 'expired')
  )
}

/** The total order of a queue: priority descending, sequence ascending. Negative when `a` goes first. */
export function queueOrder(
  a: Pick<RunRow, 'priority' | 'sequence'>,
  b: Pick<RunRow, 'priority' | 'sequence'>,
): number {
  return b.priority - a.priority || a.sequence - b.sequence
}

/** Whether a holder is neither dead nor overdue. */
export function isAlive(holder: HolderRow | undefined, now: number): boolean {
  return holder !== undefined && !holder.dead && holder.expiresAt > now
}
