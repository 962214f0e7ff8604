import type { AcquireCommand, AcquireResult, Command } from '../commands.ts'
import type { RepositoryKey, RunKey } from '../keys.ts'
import { isSlot, type RepositoryRow, type RunRow } from '../rows.ts'
import type { Decide, Decision, Section } from '../section.ts'
import { acquire, adopt, claim as claimSlot, elsewhere, HOLDER_DEAD, refused } from './acquire.ts'
import { finish, release, remove, requeue, withdraw } from './end.ts'
import { expire, isDead } from './expire.ts'
import { CHANGES_PER_COMMAND, CHANGES_PER_SETTLING, type Policy } from './policy.ts'
import { promote } from './promote.ts'
import {
  finishRemoval,
  forget,
  removeRepository,
  setLimit,
  setRepositoryState,
  setRunState,
  watch,
} from './state.ts'
import { claim } from './transitions.ts'

type Waiting = Extract<AcquireResult, { kind: 'waiting' }>

const SUPERSEDED = Object.freeze({ kind: 'superseded' } as const)
const NONE: readonly RunRow[] = Object.freeze([])
const ONE_DECIDED: Decision = Object.freeze({ decided: 1, more: false, granted: NONE })

/** What is left for the commands at the least: one of them, the guard, and the last settled row's own changes. */
const FIRST_COMMAND = CHANGES_PER_COMMAND + 1 + CHANGES_PER_SETTLING

/**
 * Makes the policy of Slotkeeper, a pure function: no I/O, no clock, no random ids. In this order: settle what is overdue, apply the
 * commands, promote heads while there is room.
 */
export function createDecide(policy: Policy): Decide {
  return (section, commands) => {
    // Commands take budget before expiry; the first of them finds room in any case.
    const keep = Math.max(Math.min(commands.length * CHANGES_PER_COMMAND, section.left / 2), FIRST_COMMAND)
    let more = !expire(section, policy, keep) || section.overdueCut
    if (!more) finishRemovals(section, policy)
    const alone = commands.length === 1
    let decided = 0
    for (; decided < commands.length; decided++) {
      if (decided > 0 && section.left <= CHANGES_PER_COMMAND) break
      apply(section, policy, commands[decided] as Command, alone)
    }
    if (decided < commands.length) {
      more = true
      // An earlier attempt of this batch may have come further, and then not have been committed.
      for (const command of commands.slice(decided)) command.outcome = undefined
    }
    let granted = NONE
    const { repositories } = section
    for (let at = 0; at < repositories.length; at++) {
      const repository = repositories[at] as RepositoryRow
      if (repository.status === 'removing') more = true
      else if (repository.waiting > repository.parked) {
        const promoted: RunRow[] = []
        if (promote(section, policy, repository, promoted)) more = true
        if (promoted.length > 0) granted = granted.length === 0 ? promoted : [...granted, ...promoted]
      }
    }
    if (!alone || granted.length > 0) conclude(section, commands, decided, granted)
    if (more !== section.guard.backlog) section.savedGuard(section.guard.watchedUntil, more)
    return decided === 1 && granted.length === 0 && !more ? ONE_DECIDED : { decided, more, granted }
  }
}

function finishRemovals(section: Section, policy: Policy): void {
  const { repositories } = section
  for (let at = 0; at < repositories.length; at++) {
    const repository = repositories[at] as RepositoryRow
    if (repository.status !== 'present') finishRemoval(section, policy, repository)
  }
}

function apply(section: Section, policy: Policy, command: Command, alone: boolean): void {
  switch (command.kind) {
    case 'acquire':
      command.outcome = acquire(section, policy, command, alone)
      return
    case 'release':
      command.outcome = release(section, policy, command)
      return
    case 'claim':
      command.outcome = claimSlot(section, policy, command)
      return
    case 'adopt':
      command.outcome = adopt(section, policy, command)
      return
    case 'requeue':
      command.outcome = requeue(section, command)
      return
    case 'finish':
      command.outcome = finish(section, policy, command)
      return
    case 'withdraw':
      command.outcome = withdraw(section, policy, command)
      return
    case 'remove':
      command.outcome = remove(section, policy, command)
      return
    case 'forget':
      command.outcome = forget(section, command)
      return
    case 'run-state':
      command.outcome = setRunState(section, policy, command)
      return
    case 'repository-state':
      command.outcome = setRepositoryState(section, command)
      return
    case 'limit':
      command.outcome = setLimit(section, command)
      return
    case 'remove-repository':
      command.outcome = removeRepository(section, policy, command)
      return
    case 'watch':
      command.outcome = watch(section, command)
  }
}

/**
 * Tells the commands what those behind them and the promotions meant for them: an acquire that waited may have its slot now or another
 * place, and each slot given up, in order, went to the next run promoted in its repository.
 */
function conclude(
  section: Section,
  commands: readonly Command[],
  decided: number,
  granted: readonly RunRow[],
): void {
  const next = granted.slice()
  for (let at = 0; at < decided; at++) {
    const command = commands[at] as Command
    const { outcome } = command
    if (outcome?.kind === 'waiting' && command.kind === 'acquire') {
      command.outcome = concludeWait(section, command, outcome)
    } else if (outcome?.kind === 'granted' && (command.kind === 'acquire' || command.kind === 'adopt')) {
      if (outcome.row.token !== outcome.token || !isSlot(outcome.row.phase))
        command.outcome = refused('removed', section.repository(command.repository))
    } else if ((outcome?.kind === 'finished' || outcome?.kind === 'released') && outcome.freed) {
      const ended = section.run(command.repository, (command as { run: RunKey }).run)
      const successor = takeSuccessor(next, command.repository)
      if (successor === undefined) continue
      if (outcome.kind === 'finished') outcome.successor = successor.run
      else outcome.promoted = [successor.run]
      if (ended?.endedBy !== command.ticket || ended.phase !== 'record') continue
      ended.successor = successor.run
      section.saved(ended, 'record')
    }
  }
}

/** The next one promoted in a repository that nobody has been told of. */
function takeSuccessor(next: RunRow[], repository: RepositoryKey): RunRow | undefined {
  if (next[0]?.repository === repository) return next.shift()
  const at = next.findIndex((row) => row.repository === repository)
  return at < 0 ? undefined : next.splice(at, 1)[0]
}

/** What an entry is by the end of the decision. */
function concludeWait(section: Section, command: AcquireCommand, outcome: Waiting): AcquireResult {
  const { row, sequence } = outcome
  const repository = section.repository(row.repository)
  if (row.sequence !== sequence || row.phase === 'record') return refused('removed', repository)
  if (!row.durable && row.ticket !== command.ticket) return SUPERSEDED
  if (row.phase === 'waiting') return { ...outcome, place: section.place(row) }
  if (row.phase === 'reserved' && repository !== undefined && command.mode === 'wait') {
    // Its caller is here: it needs no claim of its own. Finding it dead may take a change.
    if (section.left < 2) return outcome
    if (isDead(section, command.holder)) return HOLDER_DEAD
    row.grantedTo = command.ticket
    claim(section, repository, row, command.holder)
  }
  if (row.grantedTo === undefined || row.grantedTo === command.ticket)
    return { ...outcome, kind: 'granted', token: row.token, again: false }
  return row.holder === command.holder ? { kind: 'already-held', row } : elsewhere(row)
}
