import type { Place } from './commands.ts'
import type { Snapshot } from './driver.ts'
import type { RepositoryKey, RunKey } from './keys.ts'
import type { Limit } from './repository.ts'
import { type Ending, isSlot, type RepositoryState, type RunRow, type RunState } from './rows.ts'
import { placeText, publicLimit, type QueueEntry, queueEntry, type SlotInfo, slotInfo } from './slot-info.ts'

/** Why a run is where it is. */
export interface Explanation {
  readonly repository: RepositoryKey
  readonly run: RunKey
  /** `unknown`: nothing is known of it; `ended`: its last attempt is over, or only its state was noted. */
  readonly kind: 'waiting' | 'parked' | 'reserved' | 'running' | 'orphaned' | 'ended' | 'unknown'
  /** One sentence for people. */
  readonly summary: string
  readonly state: RunState | undefined
  readonly repositoryState: RepositoryState
  readonly limit: Limit
  /** Slots taken in the repository. */
  readonly live: number
  /** Since when it waits, holds or is over. */
  readonly since: Date | undefined
  /** Place in the queue, 1 = next; while waiting and not parked. */
  readonly place: Place | undefined
  /** Its entry, while it waits. */
  readonly entry: QueueEntry | undefined
  /** Its slot, while it has one. */
  readonly slot: SlotInfo | undefined
  /** Who holds the slots, oldest first, the first 100. */
  readonly holders: readonly SlotInfo[]
  /** Who goes before it, in order, the first 100. */
  readonly ahead: readonly QueueEntry[]
  /** How its last attempt stopped, and the run that got its place in the same commit. */
  readonly ending: Ending | undefined
  readonly successor: RunKey | undefined
}

/** Tells what a snapshot of a repository means for one of its runs. */
export function explainRun(repository: RepositoryKey, run: RunKey, snapshot: Snapshot): Explanation {
  const row = snapshot.runs.find((other) => other.run === run && other.repository === repository)
  const of = snapshot.repositories.find((other) => other.repository === repository)
  const info = (slot: RunRow) =>
    slotInfo(
      slot,
      snapshot,
      snapshot.holders.find((holder) => holder.holder === slot.holder),
    )
  const entries = snapshot.runs.filter((other) => other.phase === 'waiting' && other.dueAt === undefined)
  const at = entries.findIndex((other) => other.run === run)
  const parked = row?.phase === 'waiting' && row.dueAt !== undefined
  const kind =
    row === undefined ? 'unknown' : row.phase === 'record' ? 'ended' : parked ? 'parked' : row.phase
  const shared = {
    repository,
    run,
    kind,
    state: row?.state,
    repositoryState: of?.state ?? 'active',
    limit: publicLimit(of),
    live: of?.live ?? 0,
    since: since(row),
    place: kind === 'waiting' ? snapshot.place : undefined,
    entry: row?.phase === 'waiting' ? queueEntry(row, snapshot) : undefined,
    slot: row !== undefined && isSlot(row.phase) ? info(row) : undefined,
    holders: snapshot.runs
      .filter((other) => isSlot(other.phase))
      .slice(0, 100)
      .map(info),
    ahead:
      kind === 'waiting'
        ? entries.slice(0, at < 0 ? 100 : at).map((entry) => queueEntry(entry, snapshot))
        : [],
    ending: row?.phase === 'record' ? row.ending : undefined,
    successor: row?.successor,
  } as const
  return { ...shared, summary: summarize(shared) }
}

function since(row: RunRow | undefined): Date | undefined {
  const at =
    row === undefined
      ? undefined
      : row.phase === 'waiting'
        ? row.queuedAt
        : row.phase === 'record'
          ? (row.endedAt ?? row.startedAt ?? row.queuedAt)
          : row.acquiredAt
  return at === undefined ? undefined : new Date(at)
}

function summarize(of: Omit<Explanation, 'summary'>): string {
  const { run, repository, kind, slot } = of
  switch (kind) {
    case 'unknown':
      return `${run} is not known in ${repository}: it was never asked for, or it ended longer ago than records are kept.`
    case 'ended':
      return `${run} does not wait and holds nothing; its last state is ${of.state ?? 'unknown'}${of.ending === undefined ? '' : ` (${of.ending})`}.`
    case 'running':
      return `${run} runs in a slot of ${repository}, kept by ${slot?.holder}.`
    case 'reserved':
      return `${run} has a reserved slot of ${repository}; a controller has to claim it before ${slot?.expiresAt.toISOString()}.`
    case 'orphaned':
      return `${run} has a slot of ${repository} whose keeper died; it is kept until ${slot?.expiresAt.toISOString()} unless somebody adopts or ends it.`
    case 'parked':
      return `${run} was reserved a slot of ${repository} and nobody claimed it; it is passed over until ${of.entry?.parkedUntil?.toISOString()}.`
    case 'waiting': {
      if (of.repositoryState !== 'active')
        return `${run} waits because ${repository} is ${of.repositoryState}: nothing new is granted.`
      const place = of.place === undefined ? '' : ` at place ${placeText(of.place)}`
      return `${run} waits${place}: ${of.live} of ${of.limit} slots of ${repository} are taken.`
    }
  }
}
