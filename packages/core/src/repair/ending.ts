import { leaseOf, type RepositoryKey, type RunKey } from '../keys.ts'
import { type FinalState, isFinal, isSlot, type RunRow } from '../rows.ts'
import type { CheckedRun } from './actual-run.ts'
import type { Drift, Repair } from './drift.ts'

/** What is to be ended: a slot under the lease that was seen, or an entry under its sequence. */
export interface Ending {
  readonly key: RepositoryKey
  readonly run: RunKey
  /** Of the slot; `undefined` for an entry. */
  readonly token: number | undefined
  /** Of the entry. */
  readonly sequence: number
  readonly state: FinalState
  /** Makes the drift of it, once it is known what became of it. */
  readonly drift: (repair: Repair) => Drift
  /** The life that takes its place. */
  readonly next: CheckedRun | undefined
}

/** The row's run is over in the cluster. */
export function overIn(actual: CheckedRun, row: RunRow): Ending {
  const state = actual.state as FinalState
  const { seen, about } = rowOf(actual, row)
  return { ...seen, state, drift: (repair) => ({ kind: 'over', ...about, state, repair }), next: undefined }
}

/** The row is of an earlier life; how that one ended is not known. */
export function replacedBy(actual: CheckedRun, row: RunRow): Ending {
  const by = actual.runUid ?? ''
  const { seen, about } = rowOf(actual, row)
  return {
    ...seen,
    state: 'expired',
    drift: (repair) => ({ kind: 'replaced', ...about, by, repair }),
    next: isFinal(actual.state) ? undefined : actual,
  }
}

/** A slot of a run that the listing does not show; how the run ended is not known. */
export function vanishedSlot(
  key: RepositoryKey,
  run: RunKey,
  runUid: string | undefined,
  token: number,
): Ending {
  const about = { repository: key, run, runUid, leaseId: leaseOf(token) }
  return {
    key,
    run,
    token,
    sequence: 0,
    state: 'expired',
    drift: (repair) => ({ kind: 'vanished', ...about, repair }),
    next: undefined,
  }
}

/** An entry of a run that the listing does not show: it never began. */
export function vanishedEntry(
  key: RepositoryKey,
  run: RunKey,
  runUid: string | undefined,
  sequence: number,
): Ending {
  const about = { repository: key, run, runUid, leaseId: undefined }
  return {
    key,
    run,
    token: undefined,
    sequence,
    state: 'cancelled',
    drift: (repair) => ({ kind: 'vanished', ...about, repair }),
    next: undefined,
  }
}

function rowOf({ key, run }: CheckedRun, row: RunRow) {
  const token = isSlot(row.phase) ? row.token : undefined
  const leaseId = token === undefined ? undefined : leaseOf(token)
  return {
    seen: { key, run, token, sequence: row.sequence },
    about: { repository: key, run, runUid: row.runUid, leaseId },
  } as const
}
