import { groupBy } from '../history/holds.ts'
import { judge } from '../history/judge.ts'
import { endedByName, evidenceOf, type Held, leaseOf } from './evidence.ts'
import type { FenceWrite, TortureLine } from './lines.ts'
import { toHistory } from './to-history.ts'

/** A rule of the design that the processes saw broken, and what proves it. */
export interface TortureViolation {
  readonly rule: number
  readonly message: string
  readonly proof: readonly object[]
}

/** A holder's time may be told by two clocks that agree within this. */
const SLACK_MS = 20

/**
 * Judges what the processes of a torture wrote down. Rules 1 to 5 by the checker of histories, which gives the benefit of the doubt;
 * rule 8, that no holder is called dead before its time; rule 9, that whoever holds a slot is never refused by what it fences.
 */
export function judgeTorture(
  lines: readonly TortureLine[],
  writes: readonly FenceWrite[],
): readonly TortureViolation[] {
  const sorted = lines.toSorted((a, b) => a.at - b.at)
  const held = evidenceOf(sorted)
  const history = toHistory(sorted, held)
  const shared = history.filter((entry) => !('repository' in entry))
  const violations: TortureViolation[] = []
  for (const of of groupBy(
    history.filter((entry) => 'repository' in entry),
    (entry) => ('repository' in entry ? entry.repository : ''),
  ).values())
    for (const { rule, message, entries } of judge([...of, ...shared]))
      violations.push({ rule, message, proof: entries })
  return [...violations, ...judgeDeaths(held), ...judgeFence(sorted, writes)]
}

/** Rules 8 and 9. A signal that aborts before the deadline that the holder knew: somebody counted it as dead too early. */
function judgeDeaths(held: readonly Held[]): TortureViolation[] {
  return held.flatMap(({ granted, lost, bound }) => {
    if (lost === undefined || lost.at >= bound - SLACK_MS || lost.reason === 'closed') return []
    const message = `${granted.by} lost ${granted.run} (${lost.reason}) ${(bound - lost.at).toFixed()} ms before its deadline`
    return [{ rule: 8, message, proof: [granted, lost] }]
  })
}

/** Rule 9. The resource refuses a token lower than one seen for the slot number: never one of somebody who held the slot then. */
function judgeFence(lines: readonly TortureLine[], writes: readonly FenceWrite[]): TortureViolation[] {
  const sure = new Map<number, TortureLine>()
  for (const line of lines) if (line.event === 'over') for (const write of line.sure) sure.set(write, line)
  const vague = endedByName(lines)
  return refusedWrites(writes).flatMap(({ write, by }) => {
    const line = sure.get(write.write)
    if (line?.event !== 'over' || vague.has(leaseOf(line))) return []
    const message = `${write.repository} refused token ${write.token} for number ${write.number} while ${write.by} held it`
    return [{ rule: 9, message, proof: [by, write, line] }]
  })
}

/** The writes that the resource refuses, and the earlier ones that they are refused for. */
export function refusedWrites(writes: readonly FenceWrite[]): { write: FenceWrite; by: FenceWrite }[] {
  const highest = new Map<string, FenceWrite>()
  const refused: { write: FenceWrite; by: FenceWrite }[] = []
  for (const write of writes) {
    const of = `${write.repository} ${write.number}`
    const by = highest.get(of)
    if (by !== undefined && BigInt(by.token) > BigInt(write.token)) refused.push({ write, by })
    else highest.set(of, write)
  }
  return refused
}
