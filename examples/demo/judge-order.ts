import { grantedAfter } from './granted-after.ts'
import type { History, StartedAttempt } from './history.ts'
import type { PlannedRepository } from './plan.ts'

/**
 * Higher priority first, equals first come, first served. Grants are compared by their tokens, which grow with every grant; so it does
 * not matter how long a child takes to start. A pair counts only where the log proves that one had to go first:
 *
 * - it came into the queue first, with the same or a higher priority. One worker's askings are sent in their order; of two workers,
 *   the one had been told that its run waits before the other asked.
 * - or it came later with a higher priority, and its worker had been told that it waits before the other's slot came free.
 */
export function judgeOrder(
  { key }: PlannedRepository,
  history: History,
): { readonly proven: number; readonly violations: readonly string[] } {
  const started = history.started().filter(({ repository }) => repository === key)
  const roomSince = new Map(started.map((attempt) => [attempt, grantedAfter(attempt, started)]))
  const violations: string[] = []
  let proven = 0
  for (const first of started)
    for (const second of started) {
      if (first === second || first.isMoved || first.priority < second.priority) continue
      const why = cameFirst(first, second)
        ? 'came into the queue first'
        : first.priority > second.priority && isBefore(first.queued?.line, roomSince.get(second))
          ? 'waited when the slot came free'
          : undefined
      if (why === undefined) continue
      proven++
      if (first.start.token > second.start.token)
        violations.push(
          `${key} let ${second.run} (priority ${second.priority}) go before ${first.run} (priority ${first.priority}), which ${why}.`,
        )
    }
  return { proven, violations }
}

function cameFirst(first: StartedAttempt, second: StartedAttempt): boolean {
  if (first.worker === second.worker) return first.asked.line < second.asked.line
  return isBefore(first.queued?.line, second.asked.line)
}

function isBefore(line: number | undefined, other: number | undefined): boolean {
  return line !== undefined && other !== undefined && line < other
}
