import type { Explanation } from '@slotkeeper/core'
import { type QueueReport, queueReports } from '../reports/queue-report.ts'
import { type SlotReport, slotReport } from '../reports/slot-report.ts'

/** What `explain --json` prints. Fields are only ever added. */
export interface ExplainReport
  extends Pick<
    Explanation,
    'repository' | 'run' | 'kind' | 'summary' | 'repositoryState' | 'limit' | 'live'
  > {
  /** The store, as `--store` takes it. */
  readonly store: string
  /** When it was read. */
  readonly at: string
  readonly state: string | null
  /** Since when it waits, holds or is over. */
  readonly since: string | null
  /** From 1 = next, where it waits. `atLeast`: it is this place or a later one. */
  readonly place: number | null
  readonly placeIsAtLeast: boolean
  readonly priority: number | null
  /** Until when it is passed over. */
  readonly parkedUntil: string | null
  /** Its own slot. */
  readonly slot: SlotReport | null
  /** Who holds the slots, oldest first, the first 100. */
  readonly holders: readonly SlotReport[]
  /** Who goes before it, in order, the first 100. */
  readonly ahead: readonly QueueReport[]
  /** How its last attempt stopped, and who got its place. */
  readonly ending: string | null
  readonly successor: string | null
}

/** An explanation for JSON. */
export function explainReport(store: string, explanation: Explanation): ExplainReport {
  const { repository, run, kind, summary, repositoryState, limit, live, place, entry, slot } = explanation
  return {
    store,
    at: new Date().toISOString(),
    repository,
    run,
    kind,
    summary,
    state: explanation.state ?? null,
    repositoryState,
    limit,
    live,
    since: explanation.since?.toISOString() ?? null,
    place: typeof place === 'object' ? place.atLeast : (place ?? null),
    placeIsAtLeast: typeof place === 'object',
    priority: entry?.priority ?? null,
    parkedUntil: entry?.parkedUntil?.toISOString() ?? null,
    slot: slot === undefined ? null : slotReport(slot),
    holders: explanation.holders.map(slotReport),
    ahead: queueReports(explanation.ahead),
    ending: explanation.ending ?? null,
    successor: explanation.successor ?? null,
  }
}
