import type { HistoryEntry } from '../history/entries.ts'
import { type Held, push } from './evidence.ts'
import type { TortureLine } from './lines.ts'

/**
 * The history that the lines tell, for the checker that knows nothing of processes. A killed process's slots count until the last
 * deadline that it knew, for so long nobody may give them away.
 */
export function toHistory(lines: readonly TortureLine[], held: readonly Held[]): HistoryEntry[] {
  const history: HistoryEntry[] = []
  const places = keptPlaces(lines)
  for (const line of lines) {
    const { at } = line
    switch (line.event) {
      case 'asked':
        history.push({
          ...about(line),
          kind: 'asked',
          at,
          call: line.call,
          manager: line.by,
          mode: line.mode,
          priority: line.priority,
        })
        break
      case 'queued':
        if (places.has(line.call)) history.push({ ...about(line), kind: 'queued', at, call: line.call })
        break
      case 'granted': {
        const { call, lease, token, number, again } = line
        history.push({
          ...about(line),
          kind: 'granted',
          at,
          call,
          manager: line.by,
          lease,
          token: BigInt(token),
          number,
          again,
        })
        break
      }
      case 'refused':
      case 'failed':
        history.push({ ...about(line), kind: line.event, at, call: line.call, reason: line.reason })
        break
      case 'released':
        history.push({
          ...about(line),
          kind: 'released',
          at,
          lease: line.lease,
          freed: line.outcome === 'released',
        })
        break
      case 'limit-asked':
      case 'limit-answered':
        history.push({
          kind: line.event,
          at,
          call: line.call,
          repository: line.repository,
          limit: line.limit,
        })
        break
      case 'found':
        history.push({ ...about(line), kind: 'found', at, as: line.as })
    }
  }
  for (const { granted, over, to } of held)
    history.push({
      ...about(granted),
      kind: 'given-up',
      at: to,
      lease: granted.lease,
      why: over?.held ? 'release' : 'lost',
    })
  history.sort((a, b) => a.at - b.at)
  const end = Math.max(history.at(-1)?.at ?? 0, lines.at(-1)?.at ?? 0)
  const killed = new Set(
    lines.flatMap((line) => (line.event === 'fault' && line.kind === 'kill' ? [line.victim] : [])),
  )
  for (const manager of killed) if (manager !== undefined) history.push({ kind: 'crashed', at: end, manager })
  // Whoever was killed before he was told that an entry is there may have been killed before he asked.
  const there = new Set(
    lines.flatMap((line) => ('call' in line && line.event !== 'asked' ? [line.call] : [])),
  )
  for (const line of lines)
    if (line.event === 'asked' && killed.has(line.by) && !there.has(line.call))
      history.push({ ...about(line), kind: 'failed', at: end, call: line.call, reason: 'killed' })
  return history
}

function about({ repository, run }: { readonly repository: string; readonly run: string }) {
  return { repository, run }
}

/**
 * The calls that provably kept their place from when they were seen in the queue until they were granted. A worker's place is as good
 * as its holder; a durable one may have been granted to somebody who died before he could tell, if the first who tells adopted it.
 */
function keptPlaces(lines: readonly TortureLine[]): Set<number> {
  const asked = new Map<number, TortureLine & { event: 'asked' }>()
  const granted = new Map<number, TortureLine & { event: 'granted' }>()
  const shaken = new Map<string, number[]>()
  for (const line of lines) {
    if (line.event === 'asked') asked.set(line.call, line)
    else if (line.event === 'granted' && !granted.has(line.call)) granted.set(line.call, line)
    else if (line.event === 'holder-lost' || line.event === 'blocked') push(shaken, line.by, line.at)
    else if (line.event === 'fault' && line.victim !== undefined) push(shaken, line.victim, line.at)
  }
  const kept = new Set<number>()
  for (const [call, ask] of asked) {
    const grant = granted.get(call)
    const until = grant?.at ?? Number.POSITIVE_INFINITY
    const isShaken = (shaken.get(ask.by) ?? []).some((at) => at >= ask.at && at <= until)
    if (ask.mode === 'enqueue' ? grant?.adopted !== true : !isShaken) kept.add(call)
  }
  return kept
}
