import type { Place } from './commands.ts'
import { type HolderId, type LeaseId, leaseOf, type RepositoryKey, type RunKey } from './keys.ts'
import type { Limit } from './repository.ts'
import type { HolderRow } from './rows.ts'
import { limitOf, type RepositoryRow, type RepositoryState, type RunRow } from './rows.ts'

/** Names one grant of a slot. */
export interface SlotRef {
  readonly repository: RepositoryKey
  readonly run: RunKey
  readonly leaseId: LeaseId
}

/** A slot as it was when it was read. */
export interface SlotInfo extends SlotRef {
  readonly phase: 'reserved' | 'running' | 'orphaned'
  readonly runUid: string | undefined
  /** Survives the death of its holder. */
  readonly durable: boolean
  readonly holder: HolderId | undefined
  /** Granted once and growing with every grant of the repository: what a guarded resource compares. */
  readonly fencingToken: bigint
  /** A free number from 1 to the limit; absent while unlimited. */
  readonly slotNumber: number | undefined
  readonly meta: Readonly<Record<string, string>> | undefined
  readonly acquiredAt: Date
  /** The holder's deadline; when reserved, until when it may be claimed; when orphaned, how long it is kept. */
  readonly expiresAt: Date
}

/** A waiting run as it was when it was read. */
export interface QueueEntry {
  readonly repository: RepositoryKey
  readonly run: RunKey
  readonly runUid: string | undefined
  readonly priority: number
  readonly durable: boolean
  readonly holder: HolderId | undefined
  readonly enqueuedAt: Date
  /** Set while the entry is parked: its reservation was not claimed, and others go first until then. */
  readonly parkedUntil: Date | undefined
  readonly meta: Readonly<Record<string, string>> | undefined
}

/** A repository's limit and counts as they were when they were read. */
export interface RepositoryInfo {
  readonly repository: RepositoryKey
  readonly state: RepositoryState
  readonly limit: Limit
  readonly running: number
  readonly reserved: number
  readonly orphaned: number
  /** Entries of the queue, parked ones included. */
  readonly waiting: number
}

export function repositoryInfo(row: RepositoryRow): RepositoryInfo {
  const { repository, state, live, reserved, orphaned, waiting } = row
  return {
    repository,
    state,
    limit: publicLimit(row),
    running: live - reserved - orphaned,
    reserved,
    orphaned,
    waiting,
  }
}

/** The two times of a snapshot, to turn store times into dates. */
export interface Times {
  readonly now: number
  readonly wall: number
}

/** A store time as people read it. */
export function toDate(storeTime: number, { now, wall }: Times): Date {
  return new Date(Math.min(wall + (storeTime - now), LAST_DATE))
}

const LAST_DATE = 8.64e15

export function slotInfo(row: RunRow, times: Times, holder: HolderRow | undefined): SlotInfo {
  const until = Math.min(
    row.dueAt ?? Number.POSITIVE_INFINITY,
    row.phase === 'running' ? (holder?.expiresAt ?? times.now) : Number.POSITIVE_INFINITY,
  )
  return {
    repository: row.repository,
    run: row.run,
    leaseId: leaseOf(row.token),
    phase: row.phase as SlotInfo['phase'],
    runUid: row.runUid,
    durable: row.durable,
    holder: row.holder,
    fencingToken: BigInt(row.token),
    slotNumber: row.number === 0 ? undefined : row.number,
    meta: row.meta,
    acquiredAt: new Date(row.acquiredAt ?? 0),
    expiresAt: toDate(until, times),
  }
}

export function queueEntry(row: RunRow, times: Times): QueueEntry {
  return {
    repository: row.repository,
    run: row.run,
    runUid: row.runUid,
    priority: row.priority,
    durable: row.durable,
    holder: row.holder,
    enqueuedAt: new Date(row.queuedAt ?? 0),
    parkedUntil: row.dueAt === undefined ? undefined : toDate(row.dueAt, times),
    meta: row.meta,
  }
}

/** A limit as people read it. */
export function publicLimit(row: RepositoryRow | undefined): Limit {
  return toLimit(row === undefined ? 0 : limitOf(row))
}

export function toLimit(limit: number): Limit {
  return limit === 0 ? 'unlimited' : limit
}

/** A place in the queue as people read it. */
export function placeText(place: Place): string {
  return typeof place === 'number' ? String(place) : `${place.atLeast} or later`
}
