import { ERROR_CODES, type ErrorCode } from './error-codes.ts'

const brand = Symbol.for('slotkeeper.error')

/**
 * The root of every error that Slotkeeper throws. Tell errors apart by `code` (or `isSlotkeeperError`), never by
 * `instanceof`: two copies of the package may be installed.
 */
export class SlotkeeperError extends Error {
  readonly code: ErrorCode
  /** True when the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = new.target.name
    this.code = code
    this.retryable = ERROR_CODES[code].retryable
    Object.defineProperty(this, brand, { value: true })
  }
}

/** Whether `e` is an error of Slotkeeper, of any copy of the package; with `code`, of just that kind. */
export function isSlotkeeperError(e: unknown, code?: ErrorCode): e is SlotkeeperError {
  if (typeof e !== 'object' || e === null || (e as Record<symbol, unknown>)[brand] !== true) return false
  return code === undefined || (e as SlotkeeperError).code === code
}

/** A call was given something it cannot use (`SLOTKEEPER_INVALID_ARGUMENT`); nothing was sent. */
export class InvalidArgumentError extends SlotkeeperError {
  constructor(message: string) {
    super('SLOTKEEPER_INVALID_ARGUMENT', message)
  }
}

/** The Manager is closed (`SLOTKEEPER_MANAGER_CLOSED`). */
export class ManagerClosedError extends SlotkeeperError {
  constructor(message = 'The Manager is closed. Make a new one to go on.') {
    super('SLOTKEEPER_MANAGER_CLOSED', message)
  }
}

/** The store did not answer in time (`SLOTKEEPER_CALL_TIMEOUT`); `cause` is the last failure seen, if any. */
export class CallTimeoutError extends SlotkeeperError {
  constructor(what: string, timeoutMs: number, cause?: unknown) {
    const seen = cause instanceof Error ? ` The last failure was: ${cause.message}` : ''
    super(
      'SLOTKEEPER_CALL_TIMEOUT',
      `${what} got no answer from the store within ${timeoutMs} ms.${seen}`,
      cause === undefined ? undefined : { cause },
    )
  }
}

/** No slot came free in time (`SLOTKEEPER_WAIT_TIMEOUT`); nothing is left in the queue. */
export class WaitTimeoutError extends SlotkeeperError {
  constructor(what: string, timeoutMs: number) {
    super(
      'SLOTKEEPER_WAIT_TIMEOUT',
      `${what} got no slot within ${timeoutMs} ms. explain() tells who holds them.`,
    )
  }
}

/** Why a wait cannot end with a slot. */
export type RefusalReason = 'limit' | 'queue' | 'paused' | 'draining' | 'removed' | 'finished' | 'absent'

/** A wait was refused (`SLOTKEEPER_SLOT_REFUSED`): `reason` says why. */
export class SlotRefusedError extends SlotkeeperError {
  readonly reason: RefusalReason | 'held-elsewhere'
  constructor(what: string, reason: RefusalReason | 'held-elsewhere', detail: string) {
    super('SLOTKEEPER_SLOT_REFUSED', `${what} cannot get a slot: ${reason}. ${detail}`)
    this.reason = reason
  }
}

/** This Manager already holds that run's slot (`SLOTKEEPER_ALREADY_HELD`). */
export class AlreadyHeldError extends SlotkeeperError {
  constructor(what: string) {
    super(
      'SLOTKEEPER_ALREADY_HELD',
      `${what} already holds a slot of this Manager. acquireSlot would return it again.`,
    )
  }
}

/** A newer wait for the same run took this one's place (`SLOTKEEPER_SUPERSEDED`). */
export class SupersededError extends SlotkeeperError {
  constructor(what: string) {
    super('SLOTKEEPER_SUPERSEDED', `${what} is now waited for by a newer call, which took over the place.`)
  }
}

/** Why a slot is not held any more. */
export type LossReason =
  | 'released'
  | 'deadline'
  | 'holder-lost'
  | 'removed'
  | 'expired'
  | 'max-hold'
  | 'closed'
  | 'requeued'
  | 'unclaimed'

/** The slot is lost, or can no longer be proved to be held (`SLOTKEEPER_SLOT_LOST`): `reason` says how. */
export class SlotLostError extends SlotkeeperError {
  readonly reason: LossReason
  constructor(what: string, reason: LossReason, detail: string) {
    super('SLOTKEEPER_SLOT_LOST', `${what} lost its slot: ${detail}`)
    this.reason = reason
  }
}

/** The store counts the holder as dead (`SLOTKEEPER_HOLDER_LOST`). */
export class HolderLostError extends SlotkeeperError {
  constructor(holder: string) {
    super('SLOTKEEPER_HOLDER_LOST', `Holder ${holder} is dead in the store; a dead holder never comes back.`)
  }
}

/** A failure of the store, with the code that says which (`SLOTKEEPER_STORE_…`, `SLOTKEEPER_SCHEMA_…`). */
export class StoreError extends SlotkeeperError {
  constructor(
    code: Extract<
      ErrorCode,
      `SLOTKEEPER_STORE_${string}` | `SLOTKEEPER_SCHEMA_${string}` | 'SLOTKEEPER_UNSUPPORTED_RUNTIME'
    >,
    message: string,
    cause?: unknown,
  ) {
    super(code, message, cause === undefined ? undefined : { cause })
  }
}

/**
 * The listing of an `initQueues` or `auditDrift` failed (`SLOTKEEPER_LISTING_FAILED`), for the reason in `cause`. Nothing was ended, queued
 * or given back on the strength of a part of it; what was adopted until then stays adopted. Ask again.
 */
export class ListingFailedError extends SlotkeeperError {
  /** How many runs it had named. */
  readonly listed: number
  constructor(listed: number, cause: unknown) {
    super(
      'SLOTKEEPER_LISTING_FAILED',
      `The listing of actual runs failed after ${listed} of them: ${cause instanceof Error ? cause.message : String(cause)}. Nothing was dropped; ask again.`,
      { cause },
    )
    this.listed = listed
  }
}

/** Something that must never happen (`SLOTKEEPER_INTERNAL`). */
export class InternalError extends SlotkeeperError {
  constructor(message: string, cause?: unknown) {
    super('SLOTKEEPER_INTERNAL', message, cause === undefined ? undefined : { cause })
  }
}

/** One wrong setting. */
export interface ConfigProblem {
  /** The key as the user wrote it. */
  readonly key: string
  readonly message: string
}

/** Wrong settings (`SLOTKEEPER_INVALID_CONFIG`): `problems` lists all of them, by key, without their secret values. */
export class InvalidConfigError extends SlotkeeperError {
  readonly problems: readonly ConfigProblem[]
  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map((p) => `  ${p.key}: ${p.message}`)
    super(
      'SLOTKEEPER_INVALID_CONFIG',
      `The configuration has ${problems.length} problem(s):\n${lines.join('\n')}`,
    )
    this.problems = problems
  }
}
