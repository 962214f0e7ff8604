import type { AskedEntry, HistoryEntry } from './entries.ts'
import { groupBy, type Hold, holdsOf } from './holds.ts'
import type { Violation } from './judge.ts'

/** One that was seen in the queue. */
interface Queued {
  readonly asked: AskedEntry
  readonly since: number
  readonly hold: Hold | undefined
  /** It was found in the queue when all was over. */
  readonly waitsOn: boolean
  readonly entries: readonly HistoryEntry[]
}

/**
 * Rule 3. Who was seen in the queue before another even asked, and has at least its priority, is granted first: fencing tokens tell
 * the order of grants. A try that asks while somebody is in the queue is never granted before him, whatever the priorities.
 */
export function checkOrder(history: readonly HistoryEntry[]): Violation[] {
  const violations: Violation[] = []
  const holds = groupBy(holdsOf(history), (hold) => hold.repository)
  for (const [repository, queue] of groupBy(queuedOf(history, holds), (queued) => queued.asked.repository))
    for (const hold of holds.get(repository) ?? [])
      for (const first of queue) {
        if (!passes(hold, first, history)) continue
        const message = `${repository} granted ${hold.run} before ${first.asked.run}, which waited already`
        violations.push({ rule: 3, message, entries: [...first.entries, ...hold.entries] })
      }
  return violations
}

function passes(hold: Hold, first: Queued, history: readonly HistoryEntry[]): boolean {
  if (first.asked.call === hold.call || first.asked.run === hold.run) return false
  if (first.since > hold.asked) return false
  // Who never told of a slot may have been granted one, and left before the news came; unless he is waiting still.
  if (first.hold === undefined ? !first.waitsOn : first.hold.token < hold.token) return false
  const asked = history.find((entry) => entry.kind === 'asked' && entry.call === hold.call) as
    | AskedEntry
    | undefined
  return asked !== undefined && (asked.mode === 'try' || first.asked.priority >= asked.priority)
}

function queuedOf(history: readonly HistoryEntry[], holds: ReadonlyMap<string, readonly Hold[]>): Queued[] {
  const asked = new Map<number, AskedEntry>()
  const seen = new Map<number, HistoryEntry>()
  const waiting = new Map<string, HistoryEntry>()
  for (const entry of history) {
    if (entry.kind === 'asked') asked.set(entry.call, entry)
    else if (entry.kind === 'queued') seen.set(entry.call, entry)
    else if (entry.kind === 'found' && entry.as === 'waiting')
      waiting.set(`${entry.repository} ${entry.run}`, entry)
  }
  const queue: Queued[] = []
  for (const [call, sight] of seen) {
    const ask = asked.get(call)
    if (ask === undefined) continue
    const end = waiting.get(`${ask.repository} ${ask.run}`)
    const hold = holds.get(ask.repository)?.find((one) => one.call === call)
    const entries = [ask, sight, ...(end === undefined ? [] : [end]), ...(hold?.entries ?? [])]
    queue.push({ asked: ask, since: sight.at, hold, waitsOn: end !== undefined, entries })
  }
  return queue
}
