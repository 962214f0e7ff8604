import type {
  FinishCommand,
  FinishResult,
  Lost,
  ReleaseCommand,
  ReleaseResult,
  RemoveCommand,
  RequeueCommand,
  RequeueResult,
  WithdrawCommand,
} from '../commands.ts'
import type { RunKey } from '../keys.ts'
import { isSlot, type RepositoryRow, type RunRow } from '../rows.ts'
import type { Section } from '../section.ts'
import { isNotAfter } from '../ticket.ts'
import { newRepository } from './limits.ts'
import type { Policy } from './policy.ts'
import { beginAttempt, dueIn, end, giveBack, orphan } from './transitions.ts'

const NOBODY: readonly RunKey[] = Object.freeze([])
const ALREADY = Object.freeze({ kind: 'already-released' } as const)
const NOT_DURABLE = Object.freeze({ kind: 'not-durable' } as const)
const STALE = Object.freeze({ kind: 'lost', reason: 'stale-lease' } as const)
const EXPIRED = Object.freeze({ kind: 'lost', reason: 'expired' } as const)
const REMOVED = Object.freeze({ kind: 'lost', reason: 'removed' } as const)

/** Ends the grant that the command names, and no other. */
export function release(section: Section, policy: Policy, command: ReleaseCommand): ReleaseResult {
  const repository = section.repository(command.repository)
  const row = section.run(command.repository, command.run)
  if (repository !== undefined && row !== undefined && isSlot(row.phase) && row.token === command.token) {
    if (row.holder !== undefined && row.holder !== section.by) section.bump(row.holder)
    end(section, policy, repository, row, 'released', command.ticket, command.state, command.force)
    return { kind: 'released', freed: true, promoted: NOBODY }
  }
  if (
    row?.phase === 'record' &&
    row.token === command.token &&
    (row.ending === 'released' || row.ending === 'withdrawn')
  )
    return row.endedBy === command.ticket
      ? { kind: 'released', freed: false, promoted: row.successor === undefined ? [] : [row.successor] }
      : ALREADY
  return lostLease(repository, row, command.token)
}

/** What became of a lease that no slot has. */
export function lostLease(
  repository: RepositoryRow | undefined,
  row: RunRow | undefined,
  token: number,
): Lost {
  if (repository === undefined || repository.status !== 'present') return REMOVED
  if (row === undefined || row.token !== token) return STALE
  // A reservation that was parked because nobody claimed it has this token still.
  if (row.phase === 'waiting' || row.ending === 'expired') return EXPIRED
  return row.ending === 'removed' ? REMOVED : STALE
}

/** Ends a run whatever it is at. */
export function finish(section: Section, policy: Policy, command: FinishCommand): FinishResult {
  const repository = section.repository(command.repository)
  const row = section.run(command.repository, command.run)
  if (repository === undefined || row === undefined) return ALREADY
  if (row.phase === 'record')
    return row.endedBy === command.ticket ? { kind: 'finished', freed: 0, successor: row.successor } : ALREADY
  // Asked again after the run's next attempt began.
  if (isNotAfter(command.ticket, row.ticket)) return ALREADY
  if (row.holder !== undefined && row.holder !== section.by) section.bump(row.holder)
  const freed = isSlot(row.phase) ? row.token : 0
  end(section, policy, repository, row, 'released', command.ticket, command.state)
  return { kind: 'finished', freed, successor: undefined }
}

/** Ends what a ticket led to. A ticket that never arrived leaves a record, so that a late duplicate of it finds its attempt over. */
export function withdraw(
  section: Section,
  policy: Policy,
  command: WithdrawCommand,
): { kind: 'withdrawn' | 'absent' } {
  const repository = section.repository(command.repository)
  const row = section.run(command.repository, command.run)
  if (row === undefined) {
    if (repository?.status === 'present') leaveMark(section, policy, repository, command)
    return { kind: 'absent' }
  }
  if (repository === undefined) return { kind: 'absent' }
  if (row.phase === 'record') {
    if (isNotAfter(command.of, row.ticket))
      return { kind: row.ending === 'withdrawn' ? 'withdrawn' : 'absent' }
    const resumable =
      row.ending === 'expired' && row.endedBy === undefined && !isNotAfter(row.ticket, command.of)
    // Its caller may still ask on for what died with its holder: the mark stands beside its ticket.
    if (resumable) row.grantedTo = command.of
    else {
      // What is known of the attempt before stays; only the ticket tells that this one is over.
      row.ticket = command.of
      row.endedBy = command.ticket
    }
    section.saved(row, 'record')
    return { kind: 'absent' }
  }
  // A slot is whose it was given to last, whoever enqueued the run.
  if ((isSlot(row.phase) ? (row.grantedTo ?? row.ticket) : row.ticket) !== command.of)
    return { kind: 'absent' }
  if (command.orphan && row.durable && (row.phase === 'running' || row.phase === 'orphaned')) {
    if (row.phase === 'running') orphan(section, repository, row)
    return { kind: 'withdrawn' }
  }
  if (row.ticket === command.of) {
    end(section, policy, repository, row, 'withdrawn', command.ticket, undefined)
    // The attempt is as if it had never been: the same run may be asked for again.
    row.state = undefined
    return { kind: 'withdrawn' }
  }
  giveBack(section, repository, row, 'requeued', undefined)
  return { kind: 'withdrawn' }
}

function leaveMark(
  section: Section,
  policy: Policy,
  repository: RepositoryRow,
  command: WithdrawCommand,
): void {
  const row = beginAttempt(section, repository, undefined, {
    run: command.run,
    ticket: command.of,
    runUid: undefined,
    durable: false,
    priority: 0,
    maxHoldMs: 0,
    claimTimeoutMs: 0,
    leaseTtlMs: 0,
    meta: undefined,
  })
  row.queuedAt = undefined
  row.dueAt = section.now + policy.recordTtlMs
  row.ending = 'withdrawn'
  row.endedBy = command.ticket
  row.endedAt = section.wall
  section.saved(row, undefined)
  section.savedRepository(repository)
}

/** Takes a durable slot back into the queue, at its old place. */
export function requeue(section: Section, command: RequeueCommand): RequeueResult {
  const repository = section.repository(command.repository)
  const row = section.run(command.repository, command.run)
  if (repository === undefined || row === undefined || !isSlot(row.phase) || row.token !== command.token) {
    // Asked again after a lost answer: it waits already.
    if (row?.phase === 'waiting' && row.token === command.token && row.durable)
      return { kind: 'requeued', row, place: section.place(row) }
    return lostLease(repository, row, command.token)
  }
  if (!row.durable) return NOT_DURABLE
  if (row.holder !== undefined && row.holder !== section.by) section.bump(row.holder)
  giveBack(
    section,
    repository,
    row,
    'requeued',
    command.delayMs > 0 ? dueIn(section, command.delayMs) : undefined,
    command.audit,
  )
  return { kind: 'requeued', row, place: section.place(row) }
}

/** Takes a waiting run out of the queue. */
export function remove(
  section: Section,
  policy: Policy,
  command: RemoveCommand,
): { kind: 'removed' | 'running' | 'absent' } {
  const repository = section.repository(command.repository)
  const row = section.run(command.repository, command.run)
  if (repository === undefined || row === undefined) return { kind: 'absent' }
  if (isSlot(row.phase)) return { kind: 'running' }
  if (row.phase === 'waiting') {
    const { seen, audit } = command
    if (isNotAfter(command.ticket, row.ticket)) return { kind: 'absent' }
    if (seen !== undefined && seen.sequence !== row.sequence) return { kind: 'absent' }
    if (row.holder !== undefined && row.holder !== section.by) section.bump(row.holder)
    end(section, policy, repository, row, 'removed', command.ticket, seen?.state ?? 'cancelled', audit)
    return { kind: 'removed' }
  }
  return { kind: row.endedBy === command.ticket ? 'removed' : 'absent' }
}

/** The repository's row, made where there was none; `undefined` when it is removed or being removed. */
export function presentRepository(
  section: Section,
  key: RepositoryRow['repository'],
): RepositoryRow | undefined {
  const row = section.repository(key)
  if (row !== undefined) return row.status === 'present' ? row : undefined
  const made = newRepository(section.domain, key)
  section.savedRepository(made)
  return made
}
