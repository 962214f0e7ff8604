import type { HistoryEntry } from './entries.ts'
import { groupBy, holdsOf } from './holds.ts'
import type { Violation } from './judge.ts'

/** Rules 2 and 4. No token and no lease is granted twice; a grant asked after another was answered has a higher token. */
export function checkTokens(history: readonly HistoryEntry[]): Violation[] {
  const violations: Violation[] = []
  for (const [repository, holds] of groupBy(holdsOf(history), (hold) => hold.repository)) {
    const byToken = [...holds].sort((a, b) => (a.token < b.token ? -1 : a.token > b.token ? 1 : 0))
    for (const [at, hold] of byToken.entries()) {
      const before = byToken[at - 1]
      if (before !== undefined && before.token === hold.token)
        violations.push({
          rule: 2,
          message: `${repository} granted token ${hold.token} twice`,
          entries: [...before.entries, ...hold.entries],
        })
    }
    // Walking down the tokens, nobody may have been answered before a smaller token was asked for.
    let earliest = byToken.at(-1)
    for (const hold of byToken.reverse()) {
      if (earliest !== undefined && earliest.from < hold.asked && earliest.token > hold.token)
        violations.push({
          rule: 2,
          message: `${repository} granted token ${hold.token} after ${earliest.token}`,
          entries: [...earliest.entries, ...hold.entries],
        })
      if (earliest === undefined || hold.from < earliest.from) earliest = hold
    }
  }
  return [...violations, ...leasesOfTwoRuns(history)]
}

function leasesOfTwoRuns(history: readonly HistoryEntry[]): Violation[] {
  const violations: Violation[] = []
  const owners = new Map<string, HistoryEntry & { kind: 'granted' }>()
  const freed = new Map<string, HistoryEntry>()
  for (const entry of history) {
    if (entry.kind === 'released' && entry.freed) {
      const name = `${entry.repository} ${entry.lease}`
      const before = freed.get(name)
      if (before !== undefined)
        violations.push({ rule: 4, message: `lease ${name} was freed twice`, entries: [before, entry] })
      freed.set(name, entry)
    }
    if (entry.kind !== 'granted') continue
    const name = `${entry.repository} ${entry.lease}`
    const owner = owners.get(name)
    if (owner === undefined) owners.set(name, entry)
    else if (
      owner.run !== entry.run ||
      owner.manager !== entry.manager ||
      (owner.call !== entry.call && !entry.again)
    )
      violations.push({ rule: 4, message: `lease ${name} was granted to two`, entries: [owner, entry] })
  }
  return violations
}
