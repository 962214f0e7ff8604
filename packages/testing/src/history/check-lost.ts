import type { AskedEntry, HistoryEntry } from './entries.ts'
import type { Violation } from './judge.ts'

/**
 * Rule 5. Whatever was asked for was granted, was told so, or still waits when all is over. A worker that died takes its wishes with it;
 * a durable entry outlives whoever made it. Judged only where the history ends with what was found in the store.
 */
export function checkLost(history: readonly HistoryEntry[]): Violation[] {
  const crashed = new Set(history.flatMap((entry) => (entry.kind === 'crashed' ? [entry.manager] : [])))
  const found = new Map<string, HistoryEntry & { kind: 'found' }>()
  const answered = new Map<number, HistoryEntry>()
  for (const entry of history) {
    if (entry.kind === 'found') found.set(`${entry.repository} ${entry.run}`, entry)
    if (entry.kind === 'granted' || entry.kind === 'refused' || entry.kind === 'failed')
      answered.set(entry.call, entry)
  }
  return history.flatMap((entry) => {
    if (entry.kind !== 'asked') return []
    const end = found.get(`${entry.repository} ${entry.run}`)
    if (end === undefined || answered.has(entry.call)) return []
    return isLost(entry, end, crashed)
      ? [
          {
            rule: 5,
            message: `${entry.repository} lost ${entry.run}: it is ${end.as}`,
            entries: [entry, end],
          },
        ]
      : []
  })
}

function isLost(
  asked: AskedEntry,
  end: HistoryEntry & { kind: 'found' },
  crashed: ReadonlySet<string>,
): boolean {
  if (end.as === 'waiting' || end.as === 'slot') return false
  return asked.mode === 'enqueue' ? end.as === 'absent' : !crashed.has(asked.manager)
}
