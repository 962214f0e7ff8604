import type { Place } from './commands.ts'
import type { RefusalReason } from './errors.ts'
import type { HolderId, RunKey } from './keys.ts'
import type { Limit } from './repository.ts'
import type { Slot } from './slot.ts'

/** Somebody else has the run: its holder, or `undefined` while nobody keeps it (a durable run that waits, or an orphaned slot). */
export interface HeldElsewhereOutcome {
  readonly kind: 'held-elsewhere'
  readonly holder: HolderId | undefined
  readonly since: Date
}

/** What asking once for a slot led to. `again`: this Manager held it already, and it is the same lease. */
export type AcquireOutcome =
  | { readonly kind: 'granted'; readonly slot: Slot; readonly again: boolean }
  | {
      readonly kind: 'refused'
      readonly reason: RefusalReason
      readonly running: number
      readonly limit: Limit
    }
  | HeldElsewhereOutcome

/** What became of one run of a list. */
export type EnqueueOutcome =
  | { readonly kind: 'reserved' | 'running'; readonly run: RunKey; readonly slot: Slot }
  | { readonly kind: 'waiting'; readonly run: RunKey; readonly place: Place }
  | (HeldElsewhereOutcome & { readonly run: RunKey })
  | { readonly kind: 'refused'; readonly run: RunKey; readonly reason: RefusalReason }

/** A lease that no slot has any more. */
export interface LostOutcome {
  readonly kind: 'lost'
  readonly reason: 'stale-lease' | 'expired' | 'removed'
}

/** What a release did. `promoted`: the runs that got the place, in the same commit. */
export type ReleaseOutcome =
  | { readonly kind: 'released'; readonly promoted: readonly RunKey[] }
  | { readonly kind: 'already-released' }
  | LostOutcome

/** What a claim did: on `running` the slot is this Manager's. */
export type ClaimOutcome = { readonly kind: 'running' } | HeldElsewhereOutcome | LostOutcome

/** What giving a durable slot back did. */
export type RequeueOutcome = { readonly kind: 'requeued'; readonly place: Place } | LostOutcome
