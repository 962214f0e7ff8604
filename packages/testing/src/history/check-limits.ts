import type { HistoryEntry } from './entries.ts'
import { groupBy, type Hold, holdsOf } from './holds.ts'
import type { Violation } from './judge.ts'

/** When a limit may have been in force. */
interface Force {
  readonly limit: number
  readonly from: number
  to: number
}

/**
 * Rule 1. Of the slots that are live together, the last granted one was granted while the others were live already, at a moment not
 * before the latest of their askings and not after now: there must have been a limit in that time that allows so many.
 */
export function checkLimits(history: readonly HistoryEntry[]): Violation[] {
  const violations: Violation[] = []
  const forces = groupBy(forcesOf(history), (force) => force.repository)
  for (const [repository, holds] of groupBy(holdsOf(history), (hold) => hold.repository)) {
    const limits = forces.get(repository) ?? []
    for (const hold of holds) {
      // Lost before it was told, as a process finds that was stopped right after its commit: it was never surely live.
      if (hold.to <= hold.from) continue
      const live = holds.filter((other) => other.from <= hold.from && other.to > hold.from)
      const violation = tooMany(repository, hold, live, limits) ?? sameNumber(repository, hold, live)
      if (violation !== undefined) violations.push(violation)
    }
  }
  return violations
}

function tooMany(
  repository: string,
  hold: Hold,
  live: readonly Hold[],
  limits: readonly Force[],
): Violation | undefined {
  const since = Math.max(...live.map((other) => other.asked))
  const possible = limits.filter((force) => force.from <= hold.from && force.to >= since)
  if (possible.length === 0 || possible.some((force) => force.limit === 0)) return undefined
  const most = Math.max(...possible.map((force) => force.limit))
  if (live.length <= most) return undefined
  const message = `${repository} had ${live.length} live slots at ${hold.from}, its limit was ${most}`
  return { rule: 1, message, entries: live.flatMap((other) => other.entries) }
}

function sameNumber(repository: string, hold: Hold, live: readonly Hold[]): Violation | undefined {
  if (hold.number === undefined) return undefined
  const twin = live.find((other) => other !== hold && other.number === hold.number)
  if (twin === undefined) return undefined
  const message = `${repository} gave slot number ${hold.number} to ${hold.run} while ${twin.run} had it`
  return { rule: 1, message, entries: [...twin.entries, ...hold.entries] }
}

function forcesOf(history: readonly HistoryEntry[]): (Force & { readonly repository: string })[] {
  const forces: (Force & { readonly repository: string })[] = []
  const asked = new Map<number, number>()
  for (const entry of history) {
    if (entry.kind === 'limit-asked') {
      asked.set(entry.call, entry.at)
      forces.push({
        repository: entry.repository,
        limit: entry.limit,
        from: entry.at,
        to: Number.POSITIVE_INFINITY,
      })
    } else if (entry.kind === 'limit-answered') {
      // What was said and answered before this one was asked is not in force any more.
      const since = asked.get(entry.call) ?? entry.at
      for (const force of forces)
        if (force.repository === entry.repository && force.from < since)
          force.to = Math.min(force.to, entry.at)
    }
  }
  return forces
}
