import type { CallOptions } from './call-options.ts'
import type { ClaimOutcome, ReleaseOutcome, RequeueOutcome } from './outcomes.ts'
import type { FinalState } from './rows.ts'
import type { SlotInfo } from './slot-info.ts'

/** A slot in the hands of this Manager. Use it with `await using`, or release it. */
export interface Slot extends SlotInfo, AsyncDisposable {
  /**
   * Aborts with a SlotLostError no later than the store may give the slot to somebody else: when the holder's deadline passes without a
   * heartbeat, when somebody took the slot away, when `maxHoldMs` is over, when the Manager closes, and right before it is released.
   * A blocked event loop cannot run an abort: fence what the work writes with `fencingToken`.
   */
  readonly signal: AbortSignal
  /** Whether the slot is provably held at this moment, by the local deadline, read from the clock now. */
  readonly isHeld: boolean
  /** Milliseconds for which the slot is provably held without another heartbeat, read from the clocks now; 0 when it is not held. */
  readonly remainingMs: number
  /** @throws SlotLostError when the slot is not held */
  assertHeld(): void
  /** Makes a reservation this Manager's running slot. Do it before the run is started; of several callers one gets it. */
  claim(options?: CallOptions): Promise<ClaimOutcome>
  /**
   * Gives a durable slot back because its start provably did not happen; the run waits again at its old place, parked for `delayMs`
   * (default 0: not at all). When the call fails, the store is told in the background, as of a release.
   * @throws SlotkeeperError `SLOTKEEPER_NOT_DURABLE` for a worker's slot
   */
  requeue(options?: CallOptions & { readonly delayMs?: number }): Promise<RequeueOutcome>
  /**
   * Ends the run and frees the slot. A second time frees nothing and says so. Default state: `completed`. It happens once it is asked
   * for: when the call fails, by `SLOTKEEPER_CALL_TIMEOUT` for one, the store is told in the background until it has heard, and whoever
   * asks for the run again gets a new slot after that.
   * @throws InvalidArgumentError for options that cannot be meant: then the slot is held on
   */
  release(options?: CallOptions & { readonly state?: FinalState }): Promise<ReleaseOutcome>
}
