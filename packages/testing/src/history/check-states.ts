import type { HistoryEntry, StateEntry } from './entries.ts'
import { groupBy } from './holds.ts'
import type { Violation } from './judge.ts'

/** Rule 6. Of two readings of one attempt, one after the other, the later is never an earlier state, and never another end. */
export function checkStates(history: readonly HistoryEntry[]): Violation[] {
  const violations: Violation[] = []
  const readings = history.filter((entry): entry is StateEntry => entry.kind === 'state')
  for (const [name, ofRun] of groupBy(
    readings,
    (entry) => `${entry.repository} ${entry.run} ${entry.attempt}`,
  ))
    for (const later of ofRun) {
      const earlier = ofRun.find((other) => other.at < later.asked && isBackwards(other.state, later.state))
      if (earlier === undefined) continue
      violations.push({
        rule: 6,
        message: `${name} went from ${earlier.state} to ${later.state}`,
        entries: [earlier, later],
      })
    }
  return violations
}

function isBackwards(from: StateEntry['state'], to: StateEntry['state']): boolean {
  return rank(to) < rank(from) || (rank(from) === 3 && to !== from)
}

function rank(state: StateEntry['state']): number {
  if (state === undefined) return 0
  if (state === 'queued') return 1
  return state === 'started' ? 2 : 3
}
