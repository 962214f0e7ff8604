import type { RefusalReason, SlotkeeperError } from '../errors.ts'
import type { LeaseId, RepositoryKey, RunKey } from '../keys.ts'
import type { FinalState, RunState } from '../rows.ts'
import type { Slot } from '../slot.ts'
import type { Unusable } from './actual-run.ts'

/** What was done about a drift. */
export type Repair =
  /** A dry run: it would have been done. */
  | { readonly kind: 'planned' }
  | { readonly kind: 'done' }
  /** Somebody was first, or the run moved on in the meantime: nothing was changed. */
  | { readonly kind: 'overtaken' }
  | { readonly kind: 'refused'; readonly reason: RefusalReason }
  /** The store failed for this one; the next audit finds it again. */
  | { readonly kind: 'failed'; readonly error: SlotkeeperError }
  /** It is left alone, and why. */
  | { readonly kind: 'kept'; readonly why: string }

/** Which run differs. */
export interface OfRun {
  readonly repository: RepositoryKey
  readonly run: RunKey
  /** The life of the run that the drift is about, where it is known. */
  readonly runUid: string | undefined
}

/** A difference, and what was done about it. */
export interface Mended extends OfRun {
  readonly repair: Repair
}

/** One difference between the store and what the cluster runs. */
export type Drift =
  /** An entry of the listing that cannot be used, and what is wrong with it. */
  | Extract<Unusable, { kind: 'malformed' }>
  /** An entry of the listing whose state is none. */
  | Extract<Unusable, { kind: 'unknown-state' }>
  /** The listing names the run twice and contradicts itself: the run is left alone. */
  | ({ readonly kind: 'listed-twice' } & OfRun)
  /** It runs, and nobody keeps its slot: adopted. `slot`: what this Manager keeps from now on. */
  | ({ readonly kind: 'unkept'; readonly slot: Slot | undefined } & Mended)
  /**
   * It runs without a slot: it got one, over the limit if need be, and then `beyondLimit` says so. What is over is freed only after that, so
   * that nobody else gets the place of a run that runs.
   */
  | ({
      readonly kind: 'uncounted'
      readonly slot: Slot | undefined
      readonly beyondLimit: boolean
    } & Mended)
  /** It waits in the cluster and not in the store: queued. */
  | ({ readonly kind: 'unqueued' } & Mended)
  /** It has a slot that nobody keeps, and never started: waits again at its old place. */
  | ({ readonly kind: 'unstarted'; readonly leaseId: LeaseId } & Mended)
  /** It is over, and still waits or holds a slot (then with its lease): ended. */
  | ({ readonly kind: 'over'; readonly state: FinalState; readonly leaseId: LeaseId | undefined } & Mended)
  /** The store has an earlier life of it, which is over because there is another: ended. `by`: the uid that the cluster shows. */
  | ({ readonly kind: 'replaced'; readonly by: string; readonly leaseId: LeaseId | undefined } & Mended)
  /** The store has it, and the listing does not: ended, where that is sure. */
  | ({ readonly kind: 'vanished'; readonly leaseId: LeaseId | undefined } & Mended)
  /** The store knows since before the mark that it is over, and the cluster shows it queued or started. */
  | ({ readonly kind: 'ended'; readonly listed: RunState; readonly state: RunState | undefined } & Mended)
  /** The store did not hear the limit of its repository, and may know that it was removed: nothing is done about the run. */
  | ({ readonly kind: 'unheard' } & Mended)
  /** It belongs to a life of its repository that was removed: nothing is granted or queued for it. */
  | ({ readonly kind: 'removed' } & Mended)
