/**
 * The moves of a run between phases. Each keeps the counts, the slot numbers and the token of its repository in step with the row,
 * saves both and says what happened. Whoever calls has decided that the move is right.
 */

import type { HolderId, RepositoryKey, RunKey } from '../keys.ts'
import type { Audit } from '../repair/audit.ts'
import {
  type Ending,
  type FinalState,
  isFinal,
  isSlot,
  limitOf,
  type Phase,
  type RepositoryRow,
  type RunRow,
  type RunState,
} from '../rows.ts'
import type { Section } from '../section.ts'
import { giveNumber, takeNumber } from '../slot-numbers.ts'
import { type Policy, parkMs } from './policy.ts'

/** The store time at which `ms` are over, whichever process judges it by then. */
export function dueIn(section: Section, ms: number): number {
  return section.now + ms + section.clockLagMs
}

/** What a new attempt brings along. */
export interface Attempt {
  readonly run: RunKey
  readonly ticket: string
  readonly runUid: string | undefined
  readonly durable: boolean
  readonly priority: number
  readonly maxHoldMs: number
  readonly claimTimeoutMs: number
  readonly leaseTtlMs: number
  readonly meta: Readonly<Record<string, string>> | undefined
}

/** A row of a store in this process, while the same Manager waits for it. */
export interface AwaitedRow extends RunRow {
  /** Who is told of its grant. No store keeps it, and whoever finds it makes sure that it still waits for this row. */
  caller?: object | undefined
}

/** A row all of whose fields are there from the beginning, so that every row has one shape. */
class NewRun implements AwaitedRow {
  readonly repository: RepositoryKey
  readonly run: RunKey
  phase: Phase = 'record'
  runUid: string | undefined
  ticket: string
  grantedTo: string | undefined = undefined
  durable: boolean
  holder: HolderId | undefined = undefined
  priority: number
  sequence = 0
  token = 0
  number = 0
  meta: RunRow['meta']
  dueAt: number | undefined = undefined
  holdUntil: number | undefined = undefined
  maxHoldMs: number
  claimTimeoutMs: number
  leaseTtlMs: number
  parks = 0
  state: RunState | undefined = undefined
  queuedAt: number | undefined = undefined
  acquiredAt: number | undefined = undefined
  startedAt: number | undefined = undefined
  endedAt: number | undefined = undefined
  ending: Ending | undefined = undefined
  endedBy: string | undefined = undefined
  successor: RunKey | undefined = undefined
  caller: object | undefined = undefined

  constructor(repository: RepositoryKey, attempt: Attempt) {
    this.repository = repository
    this.run = attempt.run
    this.runUid = attempt.runUid
    this.ticket = attempt.ticket
    this.durable = attempt.durable
    this.priority = attempt.priority
    this.meta = attempt.meta
    this.maxHoldMs = attempt.maxHoldMs
    this.claimTimeoutMs = attempt.claimTimeoutMs
    this.leaseTtlMs = attempt.leaseTtlMs
  }
}

/** Begins an attempt as a row that neither waits nor holds yet; `old` is the record of the one before. */
export function beginAttempt(
  section: Section,
  repository: RepositoryRow,
  old: RunRow | undefined,
  attempt: Attempt,
): RunRow {
  const row = old ?? new NewRun(repository.repository, attempt)
  row.sequence = ++repository.lastSequence
  row.queuedAt = section.wall
  if (old !== undefined) renew(old, attempt)
  return row
}

/** Makes the record of an ended attempt the row of a new one; only its token stays. */
function renew(row: RunRow, attempt: Attempt): void {
  row.phase = 'record'
  row.runUid = attempt.runUid
  row.ticket = attempt.ticket
  row.grantedTo = undefined
  row.durable = attempt.durable
  row.holder = undefined
  row.priority = attempt.priority
  row.number = 0
  row.meta = attempt.meta
  row.dueAt = undefined
  row.holdUntil = undefined
  row.maxHoldMs = attempt.maxHoldMs
  row.claimTimeoutMs = attempt.claimTimeoutMs
  row.leaseTtlMs = attempt.leaseTtlMs
  row.parks = 0
  row.state = undefined
  row.acquiredAt = undefined
  row.startedAt = undefined
  row.endedAt = undefined
  row.ending = undefined
  row.endedBy = undefined
  row.successor = undefined
}

/** Puts a run into the queue at its sequence; a worker's entry dies with `holder`. */
export function enqueue(
  section: Section,
  repository: RepositoryRow,
  row: RunRow,
  was: RunRow['phase'] | undefined,
  holder: HolderId | undefined,
  audit?: Audit | undefined,
): void {
  row.phase = 'waiting'
  row.state = 'queued'
  row.holder = holder
  repository.waiting++
  section.saved(row, was)
  section.savedRepository(repository)
  section.emit('enqueued', row, undefined, audit)
}

/** Grants a slot: running for `holder`, or, without one, reserved until somebody claims it. */
export function grant(
  section: Section,
  repository: RepositoryRow,
  row: RunRow,
  was: RunRow['phase'] | undefined,
  holder: HolderId | undefined,
  audit?: Audit | undefined,
): void {
  const limit = limitOf(repository)
  if (was === 'waiting') leaveQueue(repository, row)
  row.number = limit > 0 && repository.live < limit ? takeNumber(repository.numbers) : 0
  repository.live++
  row.token = nextToken(section, repository)
  row.acquiredAt = section.wall
  if (holder === undefined) {
    row.phase = 'reserved'
    repository.reserved++
    row.holder = undefined
    row.dueAt = dueIn(section, row.claimTimeoutMs)
    row.state ??= 'queued'
  } else run(section, row, holder)
  section.saved(row, was)
  section.savedRepository(repository)
  section.emit('granted', row, undefined, audit)
}

/** Makes a reservation the running slot of `holder`. */
export function claim(
  section: Section,
  repository: RepositoryRow,
  row: RunRow,
  holder: HolderId,
  audit?: Audit | undefined,
): void {
  repository.reserved--
  run(section, row, holder)
  section.saved(row, 'reserved')
  section.savedRepository(repository)
  section.emit('claimed', row, undefined, audit)
}

/** Gives an orphaned slot a keeper, a new lease and a new token; its number stays. */
export function adopt(
  section: Section,
  repository: RepositoryRow,
  row: RunRow,
  holder: HolderId,
  audit?: Audit | undefined,
): void {
  row.token = nextToken(section, repository)
  repository.orphaned--
  row.phase = 'running'
  row.holder = holder
  row.dueAt = row.holdUntil
  section.saved(row, 'orphaned')
  section.savedRepository(repository)
  section.emit('adopted', row, undefined, audit)
}

/** Moves a row to the new holder of the Manager that it belongs to. */
export function rehome(section: Section, row: RunRow, holder: HolderId): void {
  row.holder = holder
  section.saved(row, row.phase)
}

/** A durable slot whose keeper died: still counted, anybody's to adopt. */
export function orphan(section: Section, repository: RepositoryRow, row: RunRow): void {
  const lost = row.holder
  repository.orphaned++
  row.phase = 'orphaned'
  row.holder = undefined
  row.dueAt = Math.min(dueIn(section, row.leaseTtlMs), row.holdUntil ?? Number.POSITIVE_INFINITY)
  section.saved(row, 'running')
  section.savedRepository(repository)
  section.emit('orphaned', row, lost)
}

/** Takes a durable slot back into the queue, at its old place. */
export function giveBack(
  section: Section,
  repository: RepositoryRow,
  row: RunRow,
  why: 'requeued' | 'parked',
  parkedUntil: number | undefined,
  audit?: Audit | undefined,
): void {
  const was = row.phase
  const lost = row.holder
  leaveSlot(repository, row)
  repository.waiting++
  if (parkedUntil !== undefined) repository.parked++
  row.phase = 'waiting'
  row.holder = undefined
  row.grantedTo = undefined
  row.holdUntil = undefined
  row.dueAt = parkedUntil
  // The only step back in a run's states: the claim is taken back, since its start provably never happened.
  if (!isFinal(row.state)) row.state = 'queued'
  row.startedAt = undefined
  section.saved(row, was)
  section.savedRepository(repository)
  section.emit(why, row, lost, audit)
}

/** Parks a reservation that nobody claimed; each time for longer. */
export function park(section: Section, repository: RepositoryRow, row: RunRow): void {
  const until = dueIn(section, parkMs(row.claimTimeoutMs, row.parks))
  row.parks++
  giveBack(section, repository, row, 'parked', until)
}

/** Makes a parked entry eligible again. */
export function unpark(section: Section, repository: RepositoryRow, row: RunRow): void {
  repository.parked--
  row.dueAt = undefined
  section.saved(row, 'waiting')
  section.savedRepository(repository)
  section.emit('unparked', row)
}

/** Ends an attempt: what was an entry or a slot is a record from now on. */
export function end(
  section: Section,
  policy: Policy,
  repository: RepositoryRow,
  row: RunRow,
  ending: Ending,
  by: string | undefined,
  state: FinalState | undefined,
  detail?: Readonly<Record<string, string | number>>,
): void {
  const was = row.phase
  const holder = row.holder
  if (was === 'waiting') leaveQueue(repository, row)
  else leaveSlot(repository, row)
  row.phase = 'record'
  row.holder = undefined
  row.dueAt = section.now + policy.recordTtlMs
  row.holdUntil = undefined
  row.ending = ending
  row.endedBy = by
  row.endedAt = section.wall
  if (!isFinal(row.state)) row.state = state
  section.saved(row, was)
  section.savedRepository(repository)
  section.emit(ending, row, holder, detail)
}

/** Deletes a row of a repository that is being removed. */
export function drop(section: Section, repository: RepositoryRow, row: RunRow): void {
  const was = row.phase
  if (was === 'waiting') leaveQueue(repository, row)
  else if (isSlot(was)) leaveSlot(repository, row)
  if (row.holder !== undefined) section.bump(row.holder)
  if (was !== 'record') section.emit('removed', row, row.holder)
  section.dropped(row, was)
  section.savedRepository(repository)
}

function run(section: Section, row: RunRow, holder: HolderId): void {
  row.phase = 'running'
  row.holder = holder
  row.holdUntil = row.maxHoldMs > 0 ? dueIn(section, row.maxHoldMs) : undefined
  row.dueAt = row.holdUntil
  if (!isFinal(row.state)) row.state = 'started'
  row.startedAt = section.wall
}

function leaveQueue(repository: RepositoryRow, row: RunRow): void {
  repository.waiting--
  if (row.dueAt !== undefined) repository.parked--
}

function leaveSlot(repository: RepositoryRow, row: RunRow): void {
  repository.live--
  if (row.phase === 'reserved') repository.reserved--
  if (row.phase === 'orphaned') repository.orphaned--
  giveNumber(repository.numbers, row.number)
  row.number = 0
}

function nextToken(section: Section, repository: RepositoryRow): number {
  repository.lastToken = Math.max(repository.lastToken, section.tokenFloor) + 1
  return repository.lastToken
}
