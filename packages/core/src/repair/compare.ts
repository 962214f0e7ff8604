import { isGuess } from '../decide/acquire.ts'
import { isFinal, isSlot, type RunRow } from '../rows.ts'
import type { CheckedRun } from './actual-run.ts'
import type { MarkedRepository } from './mark.ts'

/** What is to be done about one run of a listing. */
export type Finding =
  /** Nothing: they agree, or the store's row is younger than the mark, so that the listing may be older than it. */
  | 'agrees'
  /** It runs: its slot is taken over, or made. */
  | 'unkept'
  | 'uncounted'
  /** It waits: it is queued, or given back to its old place. */
  | 'unqueued'
  | 'unstarted'
  /** It is over. `over-unsure`: nobody can tell whether the row is of the same life. */
  | 'over'
  | 'over-unsure'
  /** The row is of an earlier life. */
  | 'replaced'
  /** The row is the record of an attempt that was over before the mark. */
  | 'ended'

/**
 * Compares a run of the listing with its row, which was read after the run was listed. Both may have moved on since the mark; so whatever
 * takes something away wants a row that is the same as it was at the mark.
 */
export function compare(
  actual: CheckedRun,
  row: RunRow | undefined,
  kept: boolean,
  mark: MarkedRepository,
): Finding {
  const { state } = actual
  if (row === undefined) return isFinal(state) ? 'agrees' : state === 'started' ? 'uncounted' : 'unqueued'
  const marked = mark.slots.get(row.run)
  const otherLife = actual.runUid !== undefined && row.runUid !== undefined && actual.runUid !== row.runUid
  const older = row.sequence <= mark.row.lastSequence
  if (row.phase === 'record') {
    if (isFinal(state)) return 'agrees'
    // It ended after the mark, or it is of an attempt that began after it: the listing may be older.
    if (marked !== undefined || !older) return 'agrees'
    if (!otherLife && isFinal(row.state) && !isGuess(row)) return 'ended'
    return state === 'started' ? 'uncounted' : 'unqueued'
  }
  // A worker tells of its runs itself.
  if (!row.durable) return 'agrees'
  if (row.phase === 'waiting') {
    // It had a slot at the mark and was given back since.
    if (!older || marked !== undefined) return 'agrees'
    if (otherLife) return 'replaced'
    if (state === 'queued') return 'agrees'
    if (state === 'started') return 'uncounted'
    return actual.runUid !== undefined && actual.runUid === row.runUid ? 'over' : 'over-unsure'
  }
  const unchanged = marked !== undefined && marked.token === row.token
  if (otherLife) return unchanged ? 'replaced' : 'agrees'
  if (state === 'started') {
    if (row.phase === 'reserved') return unchanged ? 'unkept' : 'agrees'
    return kept ? 'agrees' : 'unkept'
  }
  if (!unchanged || !isSlot(marked.phase)) return 'agrees'
  if (state === 'queued')
    // Whoever claimed it has yet to start it, if he lives. Nobody keeps again what nobody kept, but under another lease.
    return row.phase === 'reserved' || marked.phase === 'reserved' || marked.kept ? 'agrees' : 'unstarted'
  // What was only reserved at the mark may be another life, claimed since.
  if (marked.phase === 'reserved')
    return actual.runUid !== undefined && actual.runUid === row.runUid ? 'over' : 'agrees'
  return 'over'
}
