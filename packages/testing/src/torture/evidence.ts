import type { TortureLine } from './lines.ts'

type Line<E extends TortureLine['event']> = TortureLine & { readonly event: E }

/** One lease, and how long it was provably held. */
export interface Held {
  readonly granted: Line<'granted'>
  readonly over: Line<'over'> | undefined
  readonly lost: Line<'lost'> | undefined
  /** By what its holder knew, it surely held until then, whatever became of its process. */
  readonly bound: number
  /** Provably held until then. */
  readonly to: number
}

/**
 * What each process could prove: a slot is held from when it was read to be, until its body is over; of a process that was killed, or
 * stands still, until the last deadline that it knew.
 */
export function evidenceOf(lines: readonly TortureLine[]): Held[] {
  const terms = new Map<string, Line<'term'>[]>()
  const over = new Map<string, Line<'over'>>()
  const lost = new Map<string, Line<'lost'>>()
  const finishing = new Map<string, number>()
  for (const line of lines) {
    if (line.event === 'term') push(terms, line.holder, line)
    else if (line.event === 'over') over.set(leaseOf(line), line)
    else if (line.event === 'lost') lost.set(leaseOf(line), line)
    else if (line.event === 'finishing' && !finishing.has(leaseOf(line)))
      finishing.set(leaseOf(line), line.at)
  }
  const vague = endedByName(lines)
  const all = new Map<string, Held>()
  for (const granted of lines) {
    if (granted.event !== 'granted' || all.has(leaseOf(granted))) continue
    const end = over.get(leaseOf(granted))
    const loss = lost.get(leaseOf(granted))
    const last = end?.at ?? Number.POSITIVE_INFINITY
    let bound = granted.held ? granted.until : granted.at
    for (const term of terms.get(granted.holder ?? '') ?? [])
      if (term.at >= granted.at && term.at <= last) bound = Math.max(bound, term.until)
    if (vague.has(leaseOf(granted))) bound = granted.at
    // Two bodies of one process may share a durable slot, and one of them ends it under the other.
    const ended = finishing.get(leaseOf(granted)) ?? Number.POSITIVE_INFINITY
    bound = Math.min(bound, ended)
    const isHeld = end?.held && !vague.has(leaseOf(granted))
    const to = isHeld ? Math.min(end.at, ended) : Math.min(bound, last, loss?.at ?? last)
    all.set(leaseOf(granted), { granted, over: end, lost: loss, bound, to: Math.max(to, granted.at) })
  }
  return [...all.values()]
}

export function leaseOf({
  repository,
  lease,
}: {
  readonly repository: string
  readonly lease: string
}): string {
  return `${repository} ${lease}`
}

/**
 * Leases of runs that were ended by name by somebody with another lease of theirs: he may have come late, and ended the slot under
 * its new owner, who may not be told before the next heartbeat.
 */
export function endedByName(lines: readonly TortureLine[]): Set<string> {
  const finishing = new Map<string, string[]>()
  for (const line of lines)
    if (line.event === 'finishing') push(finishing, `${line.repository} ${line.run}`, line.lease)
  const leases = new Set<string>()
  for (const line of lines)
    if (line.event === 'granted')
      for (const lease of finishing.get(`${line.repository} ${line.run}`) ?? [])
        if (lease !== line.lease) leases.add(leaseOf(line))
  return leases
}

export function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
