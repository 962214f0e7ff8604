import { type ErrorCode, isSlotkeeperError } from '@slotkeeper/core'
import { ExitError } from './exit-error.ts'

/** What the command answers when it is not the child's own code. The numbers never change inside a major version. */
export const EXIT = Object.freeze({
  /** As `EX_NOINPUT` of sysexits.h: the run, the slot or the repository that was named is not there. */
  notThere: 66,
  /** `EX_UNAVAILABLE` of sysexits.h: the store cannot be used. */
  storeAway: 69,
  /** `EX_TEMPFAIL` of sysexits.h: the lease was lost and the command ended. */
  leaseLost: 75,
  /** What was to be changed has changed meanwhile: a slot has another lease, or was freed. Nothing was done. */
  changedMeanwhile: 76,
  /** As `EX_NOPERM` of sysexits.h: nobody said yes. Nothing was done. */
  notConfirmed: 77,
  /** As of timeout(1): no slot came free in time. */
  waitedTooLong: 124,
  /** As of timeout(1) and env(1): slotkeeper was asked wrongly, or failed itself. */
  usage: 125,
  /** As in a shell: the command was found and cannot be run. */
  cannotRun: 126,
  /** As in a shell: the command was not found. */
  notFound: 127,
})

/** What is not listed is a wrong call or a defect: `usage`. */
const CODES: Readonly<Partial<Record<ErrorCode, number>>> = {
  SLOTKEEPER_WAIT_TIMEOUT: EXIT.waitedTooLong,
  SLOTKEEPER_CALL_TIMEOUT: EXIT.storeAway,
  SLOTKEEPER_STORE_UNAVAILABLE: EXIT.storeAway,
  SLOTKEEPER_STORE_BUSY: EXIT.storeAway,
  SLOTKEEPER_STORE_FULL: EXIT.storeAway,
  SLOTKEEPER_STORE_READ_ONLY: EXIT.storeAway,
  SLOTKEEPER_STORE_PERMISSION: EXIT.storeAway,
  SLOTKEEPER_STORE_CORRUPT: EXIT.storeAway,
  SLOTKEEPER_STORE_FOREIGN: EXIT.storeAway,
  SLOTKEEPER_STORE_UNSUITABLE: EXIT.storeAway,
  SLOTKEEPER_STORE_TLS: EXIT.storeAway,
  SLOTKEEPER_SCHEMA_MISSING: EXIT.storeAway,
  SLOTKEEPER_SLOT_LOST: EXIT.leaseLost,
  SLOTKEEPER_HOLDER_LOST: EXIT.leaseLost,
}

/** The exit code that an error stands for. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ExitError) return error.exitCode
  return (isSlotkeeperError(error) ? CODES[error.code] : undefined) ?? EXIT.usage
}
