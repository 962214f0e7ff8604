import type { CallOptions } from '../call-options.ts'
import type { Engine } from '../engine.ts'
import type { RepositoryKey, RunKey } from '../keys.ts'
import { isAlive, isSlot, type Phase, type RepositoryRow } from '../rows.ts'

/** A slot as it was at the mark. */
interface MarkedSlot {
  readonly token: number
  readonly phase: Phase
  readonly runUid: string | undefined
  /** Its holder lived. */
  readonly kept: boolean
  /** What the listing said of the run, if it did. */
  listed: Listed | undefined
}

/** An entry of the queue as it was at the mark. */
interface MarkedEntry {
  readonly sequence: number
  readonly runUid: string | undefined
}

/** What a listing said of a run. */
export interface Listed {
  readonly state: string
  readonly runUid: string | undefined
}

/** A repository as it was at the mark. */
export interface MarkedRepository {
  readonly row: Pick<RepositoryRow, 'status' | 'removedUids' | 'lastSequence'>
  /** Durable ones only: what is a worker's no listing of a cluster tells of. */
  readonly slots: Map<RunKey, MarkedSlot>
  /** Durable entries that were not listed; empty when the listing shows no waiting runs. */
  readonly waiting: Map<RunKey, MarkedEntry>
  /** The listing names a run of it. */
  named: boolean
}

/**
 * The store as it was before the listing began. It is told by leases and sequences, not by a clock: what has another lease or a higher
 * sequence by now is younger than the mark. Its size is that of what waits and holds, whatever the size of the listing.
 */
export type Mark = Map<RepositoryKey, MarkedRepository>

const PAGE = 500
const ALL = Number.MAX_SAFE_INTEGER

/** Reads the mark. */
export async function readMark(
  engine: Engine,
  withWaiting: boolean,
  options: CallOptions | undefined,
): Promise<Mark> {
  const mark: Mark = new Map()
  const { driver } = engine
  for (let after = ''; ; ) {
    const page = await engine.read('Listing repositories', options, (signal) =>
      driver.read({ kind: 'repositories', after, first: PAGE }, signal),
    )
    for (const row of page.repositories) {
      const marked = markOf(row)
      mark.set(row.repository, marked)
      if (row.live > 0 || (withWaiting && row.waiting > 0))
        await readRows(engine, row.repository, withWaiting, marked, options)
    }
    if (page.repositories.length < PAGE) return mark
    after = page.repositories.at(-1)?.repository ?? ''
  }
}

/** A repository that the store did not know at the mark. */
export function unknownRepository(): MarkedRepository {
  return {
    row: { status: 'present', removedUids: [], lastSequence: 0 },
    slots: new Map(),
    waiting: new Map(),
    named: false,
  }
}

function markOf({ status, removedUids, lastSequence }: RepositoryRow): MarkedRepository {
  return { ...unknownRepository(), row: { status, removedUids, lastSequence } }
}

async function readRows(
  engine: Engine,
  repository: RepositoryKey,
  withWaiting: boolean,
  into: MarkedRepository,
  options: CallOptions | undefined,
): Promise<void> {
  const waiting = withWaiting ? ALL : 0
  const { runs, holders, now } = await engine.read(`Reading ${repository}`, options, (signal) =>
    engine.driver.read({ kind: 'repository', repository, slots: ALL, waiting }, signal),
  )
  const alive = new Set(holders.filter((row) => isAlive(row, now)).map((row) => row.holder))
  for (const { run, durable, phase, token, runUid, holder, sequence } of runs) {
    if (!durable) continue
    const kept = phase === 'running' && holder !== undefined && alive.has(holder)
    if (isSlot(phase)) into.slots.set(run, { token, phase, runUid, kept, listed: undefined })
    else if (phase === 'waiting') into.waiting.set(run, { sequence, runUid })
  }
}
