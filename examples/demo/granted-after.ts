import type { StartedAttempt } from './history.ts'

/**
 * The line of the log after which the slot must have been granted: the end of the child that had the same slot number before. 0 where
 * the log does not tell.
 */
export function grantedAfter(attempt: StartedAttempt, ofRepository: readonly StartedAttempt[]): number {
  const { slot, line } = attempt.start
  if (slot === undefined) return 0
  const before = ofRepository.findLast(({ start }) => start.slot === slot && start.line < line)
  return before?.end !== undefined && before.end.line < line ? before.end.line : 0
}
