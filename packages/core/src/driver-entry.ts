/**
 * For those who implement a driver: the contract, its rows, and the parts that every driver uses.
 * @module @slotkeeper/core/driver
 */

export { pause } from './call-options.ts'
export { Channel } from './channel.ts'
export { type Cancel, type Clock, systemClock } from './clock.ts'
export type * from './commands.ts'
export { acquireAtOnce, releaseAtOnce } from './decide/at-once.ts'
export { createDecide } from './decide/decide.ts'
export { newRepository } from './decide/limits.ts'
export type { Policy } from './decide/policy.ts'
export type * from './driver.ts'
export { ERROR_CODES, type ErrorCode, type ErrorCodeInfo } from './error-codes.ts'
export {
  HolderLostError,
  InternalError,
  isSlotkeeperError,
  ManagerClosedError,
  SlotkeeperError,
  StoreError,
} from './errors.ts'
export type { Filed } from './kept-runs.ts'
export {
  type HolderId,
  type LeaseId,
  leaseOf,
  MAX_KEY_BYTES,
  type RepositoryKey,
  type RunKey,
  tokenOf,
} from './keys.ts'
export { type Logger, silentLogger } from './logger.ts'
export { type PackedRow, packRows, unpackRows } from './packed-rows.ts'
export {
  type Changes,
  type Facts,
  isForOthers,
  mustNotify,
  RecordedSection,
  type RunChange,
} from './recorded-section.ts'
export * from './rows.ts'
export type { Decide, Decision, Guard, Section } from './section.ts'
export { type SectionRequest, sectionRequest } from './section-request.ts'
export { giveNumber, numbersOf, type SlotNumbers, takeNumber } from './slot-numbers.ts'
export { isNotAfter, ticketSource } from './ticket.ts'
export { type Told, Watchers, type WatchersOptions } from './watchers.ts'
