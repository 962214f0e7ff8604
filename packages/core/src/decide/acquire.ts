import type {
  AcquireCommand,
  AcquireResult,
  AdoptCommand,
  ClaimCommand,
  ClaimResult,
  Refusal,
} from '../commands.ts'
import type { HolderId } from '../keys.ts'
import { isFinal, isSlot, limitOf, type RepositoryRow, type RunRow } from '../rows.ts'
import type { Section } from '../section.ts'
import { isNotAfter } from '../ticket.ts'
import { lostLease } from './end.ts'
import { isDead, settle } from './expire.ts'
import { propose } from './limits.ts'
import { CHANGES_PER_COMMAND, type Policy } from './policy.ts'
import { hasRoom, nextEligible } from './promote.ts'
import {
  adopt as adoptSlot,
  beginAttempt,
  claim as claimSlot,
  end,
  enqueue,
  grant,
  rehome,
  unpark,
} from './transitions.ts'

const TOO_LATE = Object.freeze({ kind: 'too-late' } as const)
/** The answer to a caller whose holder is dead. */
export const HOLDER_DEAD = Object.freeze({ kind: 'holder-dead' } as const)

/**
 * Asks for a slot. `alone`: no other command is decided with it, so that a free slot may be granted without passing anybody.
 * A waiting answer may still become a grant when heads are promoted at the end of the decision.
 */
export function acquire(
  section: Section,
  policy: Policy,
  command: AcquireCommand,
  alone: boolean,
): AcquireResult {
  if (isLate(section, command)) return TOO_LATE
  const repository = propose(section, command.repository, 'local', command.proposal)
  if (repository === undefined) return refused('removed', section.repository(command.repository))
  const row = section.run(command.repository, command.run)
  if (row !== undefined) settle(section, policy, repository, row)
  if (row === undefined) return begin(section, policy, repository, undefined, command, alone)
  if (row.phase === 'record') {
    if (isResumable(row) && row.ticket === command.ticket)
      return command.mode === 'try'
        ? begin(section, policy, repository, row, command, alone)
        : resume(section, repository, row, command)
    if (isRepetition(row, command)) return refused('finished', repository)
    return begin(section, policy, repository, row, command, alone)
  }
  if (isSlot(row.phase)) return present(section, repository, row, command)
  if (command.ticket !== row.ticket && isNotAfter(command.ticket, row.ticket))
    return refused('finished', repository)
  if (!isOtherLife(row, command)) return rejoin(section, repository, row, command)
  return replaceLife(section, policy, repository, row, command, alone)
}

/** The run has no place and no slot yet. */
function begin(
  section: Section,
  policy: Policy,
  repository: RepositoryRow,
  record: RunRow | undefined,
  command: AcquireCommand,
  alone: boolean,
): AcquireResult {
  const trying = command.mode === 'try'
  if (repository.state === 'draining') return refused('draining', repository)
  if (trying && repository.state === 'paused') return refused('paused', repository)
  if (trying && !hasRoom(repository)) return refused('limit', repository)
  // A reservation needs no holder; everything else is for a live one.
  if (command.mode !== 'enqueue' && isDead(section, command.holder)) return HOLDER_DEAD
  const free =
    repository.state === 'active' &&
    hasRoom(repository) &&
    (repository.waiting === repository.parked ||
      nextEligible(section, policy, repository, CHANGES_PER_COMMAND) === undefined)
  if (trying && !free) return refused('queue', repository)
  const was = record?.phase
  const row = beginAttempt(section, repository, record, command)
  if (trying || (alone && free && command.mode === 'wait')) {
    grant(section, repository, row, was, command.holder)
    return granted(row, false)
  }
  enqueue(section, repository, row, was, command.durable ? undefined : command.holder, command.audit)
  return waiting(section, row)
}

/**
 * The same attempt asks on for what died with its former holder, of which its caller never heard: it goes back to its old place.
 */
function resume(
  section: Section,
  repository: RepositoryRow,
  row: RunRow,
  command: AcquireCommand,
): AcquireResult {
  if (repository.state === 'draining') return refused('draining', repository)
  if (isDead(section, command.holder)) return HOLDER_DEAD
  const { sequence, priority } = row
  Object.assign(beginAttempt(section, repository, row, command), { sequence, priority })
  enqueue(section, repository, row, 'record', command.durable ? undefined : command.holder)
  return waiting(section, row)
}

/** The run has a slot already. */
function present(
  section: Section,
  repository: RepositoryRow,
  row: RunRow,
  command: AcquireCommand,
): AcquireResult {
  const repeated = (row.grantedTo ?? row.ticket) === command.ticket
  if (isOtherLife(row, command)) return elsewhere(row)
  if (command.ticket !== row.ticket && isNotAfter(command.ticket, row.ticket))
    return refused('finished', repository)
  if (row.phase === 'reserved') {
    if (command.mode === 'enqueue') return granted(row, !repeated)
    if (isDead(section, command.holder)) return HOLDER_DEAD
    row.grantedTo = command.ticket
    claimSlot(section, repository, row, command.holder)
    return granted(row, false)
  }
  if (repeated && row.phase === 'running' && row.holder !== command.holder) {
    // Granted to the former holder of the Manager that still asks.
    if (isDead(section, command.holder)) return HOLDER_DEAD
    rehome(section, row, command.holder)
  }
  if (row.phase === 'orphaned' || row.holder !== command.holder) return elsewhere(row)
  if (repeated) return granted(row, false)
  return command.mode === 'wait' ? { kind: 'already-held', row } : granted(row, true)
}

/** Another life of the run waits: it is over, once the new one can take its turn. */
function replaceLife(
  section: Section,
  policy: Policy,
  repository: RepositoryRow,
  row: RunRow,
  command: AcquireCommand,
  alone: boolean,
): AcquireResult {
  if (!row.durable && row.holder !== command.holder) return elsewhere(row)
  if (command.mode === 'try') return refused(tryRefusal(repository), repository)
  if (repository.state === 'draining') return refused('draining', repository)
  if (command.mode !== 'enqueue' && isDead(section, command.holder)) return HOLDER_DEAD
  end(section, policy, repository, row, 'removed', command.ticket, undefined)
  return begin(section, policy, repository, row, command, alone)
}

/** The run waits already; asking again never moves it. */
function rejoin(
  section: Section,
  repository: RepositoryRow,
  row: RunRow,
  command: AcquireCommand,
): AcquireResult {
  if (row.ticket === command.ticket && command.mode === 'try')
    return refused(tryRefusal(repository), repository)
  if (row.ticket === command.ticket) {
    if (row.holder !== undefined && row.holder !== command.holder) {
      if (isDead(section, command.holder)) return HOLDER_DEAD
      rehome(section, row, command.holder)
    }
    return waiting(section, row)
  }
  if (row.holder !== undefined && row.holder !== command.holder) return elsewhere(row)
  // Whoever asks is there to claim it.
  if (row.dueAt !== undefined && repository.state !== 'draining') unpark(section, repository, row)
  if (command.mode === 'try') return refused(tryRefusal(repository), repository)
  if (row.durable !== command.durable) return elsewhere(row)
  if (row.durable) {
    if (command.mode === 'wait' && isDead(section, command.holder)) return HOLDER_DEAD
    return waiting(section, row)
  }
  const replaced = row.ticket
  row.ticket = command.ticket
  section.saved(row, 'waiting')
  return waiting(section, row, replaced)
}

/** Makes a reservation the caller's running slot. */
export function claim(section: Section, policy: Policy, command: ClaimCommand): ClaimResult {
  if (isLate(section, command)) return TOO_LATE
  const repository = section.repository(command.repository)
  const row = section.run(command.repository, command.run)
  if (repository?.status !== 'present') return lostLease(repository, row, command.token)
  if (row !== undefined) settle(section, policy, repository, row)
  if (row === undefined || !isSlot(row.phase) || row.token !== command.token)
    return lostLease(repository, row, command.token)
  if (row.phase === 'reserved') {
    if (isDead(section, command.holder)) return HOLDER_DEAD
    row.grantedTo = command.ticket
    claimSlot(section, repository, row, command.holder)
    return { kind: 'running', row }
  }
  if (row.grantedTo === command.ticket && row.phase === 'running' && row.holder !== command.holder) {
    if (isDead(section, command.holder)) return HOLDER_DEAD
    rehome(section, row, command.holder)
  }
  return row.holder === command.holder ? { kind: 'running', row } : elsewhere(row)
}

/** Takes over a slot that nobody keeps; with `beyond` also a run that provably runs without one. */
export function adopt(section: Section, policy: Policy, command: AdoptCommand): AcquireResult {
  if (isLate(section, command)) return TOO_LATE
  const repository = section.repository(command.repository)
  if (repository === undefined || repository.status !== 'present') return refused('removed', repository)
  const row = section.run(command.repository, command.run)
  if (row !== undefined) settle(section, policy, repository, row)
  const { beyond, audit } = command
  if (row !== undefined && row.phase !== 'record' && beyond !== undefined && isOtherLife(row, beyond))
    return elsewhere(row)
  if (row !== undefined && isSlot(row.phase)) {
    if (row.phase === 'running')
      return row.holder === command.holder ? granted(row, row.grantedTo !== command.ticket) : elsewhere(row)
    if (isDead(section, command.holder)) return HOLDER_DEAD
    row.grantedTo = command.ticket
    if (row.phase === 'reserved') claimSlot(section, repository, row, command.holder, audit)
    else adoptSlot(section, repository, row, command.holder, audit)
    return granted(row, false)
  }
  if (beyond === undefined)
    return refused(
      row?.phase === 'waiting' ? tryRefusal(repository) : isFinal(row?.state) ? 'finished' : 'absent',
      repository,
    )
  if (
    row?.phase === 'record' &&
    isFinal(row.state) &&
    !isGuess(row) &&
    (beyond.runUid === undefined || row.runUid === beyond.runUid)
  )
    return refused('finished', repository)
  if (row?.phase === 'record' && isPast(row, command.ticket)) return refused('finished', repository)
  if (isDead(section, command.holder)) return HOLDER_DEAD
  if (row?.holder !== undefined && row.holder !== section.by) section.bump(row.holder)
  const was = row?.phase
  const slot =
    row?.phase === 'waiting'
      ? row
      : beginAttempt(section, repository, row, {
          ...command,
          ...beyond,
          durable: true,
          priority: 0,
          maxHoldMs: 0,
          meta: undefined,
        })
  slot.durable = true
  slot.grantedTo = command.ticket
  grant(section, repository, slot, was, command.holder, audit)
  return granted(slot, false)
}

/** A command of an attempt that is over: the same caller's, not newer than the last one known, or the same uid after its end. */
function isRepetition(row: RunRow, command: AcquireCommand): boolean {
  if (isPast(row, command.ticket)) return true
  if (command.audit !== undefined && isGuess(row)) return false
  return command.runUid !== undefined && command.runUid === row.runUid && isFinal(row.state)
}

/** It died with its holder, and nobody said meanwhile how it ended. */
function isResumable({ ending, endedBy, state }: RunRow): boolean {
  return ending === 'expired' && endedBy === undefined && (state === 'expired' || !isFinal(state))
}

/** The ticket, or a later one of its caller, led to this row or was given its slot. */
function isPast(row: RunRow, ticket: string): boolean {
  return isNotAfter(ticket, row.ticket) || (row.grantedTo !== undefined && isNotAfter(ticket, row.grantedTo))
}

/** Nobody said how the attempt ended, and nobody wished it over at that time: a run that provably runs is proof that it did not. */
export function isGuess(row: RunRow): boolean {
  return row.state === 'expired' && row.maxHoldMs === 0
}

/** The command is about another life of the run than the row. */
function isOtherLife(row: RunRow, command: { readonly runUid: string | undefined }): boolean {
  return command.runUid !== undefined && row.runUid !== undefined && command.runUid !== row.runUid
}

function isLate(section: Section, command: { readonly validUntil: number }): boolean {
  return command.validUntil !== 0 && section.now > command.validUntil
}

function tryRefusal(repository: RepositoryRow): Refusal {
  if (repository.state !== 'active') return repository.state
  return hasRoom(repository) ? 'queue' : 'limit'
}

/** The answer that says why nothing was given. */
export function refused(reason: Refusal, repository: RepositoryRow | undefined): AcquireResult {
  return {
    kind: 'refused',
    reason,
    running: repository?.live ?? 0,
    limit: repository === undefined ? 0 : limitOf(repository),
  }
}

function granted(row: RunRow, again: boolean, replaced?: string): AcquireResult {
  return { kind: 'granted', row, again, sequence: row.sequence, token: row.token, replaced }
}

function waiting(section: Section, row: RunRow, replaced?: string): AcquireResult {
  return {
    kind: 'waiting',
    row,
    place: section.place(row),
    sequence: row.sequence,
    token: row.token,
    replaced,
  }
}

/** The answer that names who has the run. */
export function elsewhere(row: RunRow): {
  kind: 'held-elsewhere'
  holder: HolderId | undefined
  since: number
} {
  return { kind: 'held-elsewhere', holder: row.holder, since: row.acquiredAt ?? row.queuedAt ?? 0 }
}
