import { grantedAfter } from './granted-after.ts'
import type { History, StartedAttempt } from './history.ts'
import type { PlannedRepository } from './plan.ts'

/**
 * A fencing token is granted once in a repository and grows with every grant; a slot number from 1 to the limit belongs to one child
 * at a time. Two grants that follow each other closely may start their children in either order, so tokens are compared where the log
 * proves which grant came first: a child that began before the other's predecessor in the slot number ended.
 */
export function judgeTokens({ key, limit }: PlannedRepository, history: History): readonly string[] {
  const started = history.started().filter(({ repository }) => repository === key)
  const violations: string[] = []
  const byToken = new Map<bigint, StartedAttempt>()
  const bySlot = new Map<number, StartedAttempt>()
  for (const attempt of started) {
    const { run, start } = attempt
    const { slot, token } = start
    const twin = byToken.get(token)
    if (twin !== undefined) violations.push(`${key} gave token ${token} to ${twin.run} and to ${run}.`)
    byToken.set(token, attempt)
    if (limit > 0 && (slot === undefined || !Number.isInteger(slot) || slot < 1 || slot > limit))
      violations.push(`${key} gave ${run} the slot number ${slot ?? '(none)'}: it has 1 to ${limit}.`)
    if (limit === 0 && slot !== undefined)
      violations.push(`${key} has no limit and gave ${run} the slot number ${slot}.`)
    const before = slot === undefined ? undefined : bySlot.get(slot)
    if (before !== undefined && (before.end === undefined || before.end.line > start.line))
      violations.push(`${key} gave slot number ${slot} to ${run} while ${before.run} was at work under it.`)
    if (slot !== undefined) bySlot.set(slot, attempt)
    const since = grantedAfter(attempt, started)
    const newer = started.find((other) => other.start.line < since && other.start.token > token)
    if (newer !== undefined)
      violations.push(
        `${key} gave ${run} the token ${token}, lower than ${newer.start.token} of ${newer.run}, which had begun before.`,
      )
  }
  return violations
}
