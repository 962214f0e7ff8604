import type { AskedEntry, GrantedEntry, HistoryEntry } from './entries.ts'

/** One slot as seen from outside: surely live from `from` until `to`, granted no earlier than `asked`. */
export interface Hold {
  readonly repository: string
  readonly run: string
  readonly lease: string
  readonly token: bigint
  readonly number: number | undefined
  readonly mode: AskedEntry['mode']
  readonly call: number
  readonly asked: number
  readonly from: number
  to: number
  readonly entries: HistoryEntry[]
}

/** All slots of a history. A grant that was told again is the same slot. */
export function holdsOf(history: readonly HistoryEntry[]): Hold[] {
  const asked = new Map<number, AskedEntry>()
  const holds = new Map<string, Hold>()
  const ofManager = new Map<string, Hold[]>()
  for (const entry of history) {
    if (entry.kind === 'asked') asked.set(entry.call, entry)
    else if (entry.kind === 'granted') {
      const name = `${entry.repository} ${entry.lease}`
      if (holds.has(name)) continue
      const hold = newHold(entry, asked.get(entry.call))
      holds.set(name, hold)
      ofManager.set(entry.manager, [...(ofManager.get(entry.manager) ?? []), hold])
    } else if (entry.kind === 'given-up') end(holds.get(`${entry.repository} ${entry.lease}`), entry)
    else if (entry.kind === 'crashed') for (const hold of ofManager.get(entry.manager) ?? []) end(hold, entry)
  }
  return [...holds.values()]
}

function newHold(entry: GrantedEntry, asked: AskedEntry | undefined): Hold {
  const { repository, run, lease, token, number, call } = entry
  const entries = asked === undefined ? [entry] : [asked, entry]
  const since = asked?.at ?? Number.NEGATIVE_INFINITY
  return {
    repository,
    run,
    lease,
    token,
    number,
    mode: asked?.mode ?? 'try',
    call,
    asked: since,
    from: entry.at,
    to: Number.POSITIVE_INFINITY,
    entries,
  }
}

function end(hold: Hold | undefined, entry: HistoryEntry): void {
  if (hold === undefined || hold.to <= entry.at) return
  hold.to = entry.at
  hold.entries.push(entry)
}

/** Things by a key of theirs. */
export function groupBy<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
