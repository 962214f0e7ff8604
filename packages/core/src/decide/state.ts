import type {
  ForgetCommand,
  LimitCommand,
  RemoveRepositoryCommand,
  RepositoryStateCommand,
  RunStateCommand,
  WatchCommand,
} from '../commands.ts'
import { isFinal, limitOf, type RepositoryRow, type RunState } from '../rows.ts'
import type { Section } from '../section.ts'
import { presentRepository } from './end.ts'
import { newRepository, propose, rememberUid } from './limits.ts'
import type { Policy } from './policy.ts'
import { beginAttempt } from './transitions.ts'

/** Notes where a run is. Never frees or takes a slot, never goes backwards within an attempt. */
export function setRunState(
  section: Section,
  policy: Policy,
  command: RunStateCommand,
): NonNullable<RunStateCommand['outcome']> {
  const repository = presentRepository(section, command.repository)
  if (repository === undefined) return { kind: 'backwards', state: undefined }
  let row = section.run(command.repository, command.run)
  const was = row?.phase
  const otherLife = command.runUid !== undefined && row?.runUid !== undefined && command.runUid !== row.runUid
  if (otherLife && was !== 'record') return { kind: 'backwards', state: row?.state }
  if (row === undefined || otherLife) {
    row = beginAttempt(section, repository, row, {
      ...command,
      durable: true,
      priority: 0,
      maxHoldMs: 0,
      claimTimeoutMs: 0,
      leaseTtlMs: 0,
      meta: undefined,
    })
    row.queuedAt = undefined
    section.savedRepository(repository)
  }
  const { state } = row
  if (state === command.state) return { kind: 'unchanged', state }
  if (state !== undefined && rank(command.state) <= rank(state)) return { kind: 'backwards', state }
  row.state = command.state
  if (command.state === 'queued') row.queuedAt ??= section.wall
  else if (command.state === 'started') row.startedAt ??= section.wall
  else row.endedAt = section.wall
  if (row.phase === 'record') row.dueAt = section.now + policy.recordTtlMs
  section.saved(row, was)
  section.emit('run-state', row, row.holder, { state: command.state })
  return { kind: 'set', state: command.state }
}

/** Forgets a record before its time. Tokens and sequences go on rising all the same: the repository keeps count. */
export function forget(section: Section, command: ForgetCommand): NonNullable<ForgetCommand['outcome']> {
  const row = section.run(command.repository, command.run)
  if (row === undefined) return { kind: 'absent' }
  if (row.phase !== 'record') return { kind: 'busy' }
  section.dropped(row, 'record')
  return { kind: 'forgotten' }
}

function rank(state: RunState): number {
  if (isFinal(state)) return 2
  return state === 'started' ? 1 : 0
}

/** Pauses, drains or activates a repository. */
export function setRepositoryState(
  section: Section,
  command: RepositoryStateCommand,
): NonNullable<RepositoryStateCommand['outcome']> {
  const repository = presentRepository(section, command.repository)
  if (repository === undefined) return { kind: 'removed' }
  if (repository.state !== command.state) {
    repository.state = command.state
    section.savedRepository(repository)
    section.emit('repository-state', repository, undefined, { state: command.state, ...command.audit })
  }
  return { kind: 'set' }
}

/** Says a limit. A higher one is used in the same commit, a lower one ends nobody. */
export function setLimit(section: Section, command: LimitCommand): NonNullable<LimitCommand['outcome']> {
  const repository = propose(section, command.repository, command.source, command.proposal, command.audit)
  if (repository === undefined) return { kind: 'removed', limit: 0 }
  const taken = repository[command.source]
  const same = taken?.limit === command.proposal.limit && taken.generation === command.proposal.generation
  return { kind: same ? 'set' : 'older', limit: limitOf(repository) }
}

/** Begins to delete a repository: nothing is granted any more, and its rows go in later decisions, as their budgets allow. */
export function removeRepository(
  section: Section,
  policy: Policy,
  command: RemoveRepositoryCommand,
): NonNullable<RemoveRepositoryCommand['outcome']> {
  const repository = section.repository(command.repository)
  if (repository === undefined || repository.status === 'removed') {
    if (command.uid !== undefined) markRemoved(section, policy, repository, command.repository, command.uid)
    return { kind: 'absent' }
  }
  const uid = repository.local?.uid
  // A late word about an earlier life of the repository.
  if (command.uid !== undefined && uid !== undefined && command.uid !== uid) return { kind: 'absent' }
  if (repository.status === 'present') {
    if (command.begun === true) return { kind: 'absent' }
    repository.status = 'removing'
    section.savedRepository(repository)
    section.emit('removed', repository)
  }
  return { kind: 'removed', runs: repository.live + repository.waiting }
}

/** Remembers that a life is over of which this store may never have heard, so that its late words begin nothing. */
function markRemoved(
  section: Section,
  policy: Policy,
  known: RepositoryRow | undefined,
  key: RepositoryRow['repository'],
  uid: string,
): void {
  if (known?.removedUids.includes(uid)) return
  const repository = known ?? newRepository(section.domain, key)
  repository.status = 'removed'
  rememberUid(repository, uid)
  repository.dueAt = section.now + policy.recordTtlMs
  section.savedRepository(repository)
}

/** Ends the removal of a repository whose rows are gone: uids that may not come back stay for a while. */
export function finishRemoval(section: Section, policy: Policy, repository: RepositoryRow): void {
  if (repository.status === 'removed') {
    if ((repository.dueAt ?? 0) <= section.now) section.droppedRepository(repository)
    return
  }
  if (repository.status !== 'removing') return
  const uid = repository.local?.uid
  if (uid !== undefined) rememberUid(repository, uid)
  if (repository.removedUids.length === 0) return section.droppedRepository(repository)
  repository.status = 'removed'
  repository.state = 'active'
  repository.local = repository.global = undefined
  repository.dueAt = section.now + policy.recordTtlMs
  section.savedRepository(repository)
}

/** Asks for this domain's events for a while. Written only when half of the last asking is used up. */
export function watch(section: Section, command: WatchCommand): NonNullable<WatchCommand['outcome']> {
  if (command.forMs > 0 && section.guard.watchedUntil < section.now + command.forMs / 2)
    section.savedGuard(section.now + command.forMs, section.guard.backlog)
  return { kind: 'watched' }
}
