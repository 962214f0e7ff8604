/** What must hold of tickets, leases and holders: whose a slot is, and who learns what. */
import type { Command } from '../../../src/commands.ts'
import type { HolderId } from '../../../src/keys.ts'
import type { RunRow } from '../../../src/rows.ts'
import { about, decided, hasSlot, must, promoted, rowBefore, tell, wasGone, wasRemoved } from './telling.ts'
import type { Commit, Rule } from './world.ts'

/** 4. A slot is one caller's: a ticket that it was not given to neither takes it nor gets it as its own; a lease frees only itself. */
export function leasesAreKept(): Rule {
  return {
    committed(commit) {
      for (const { kind, run, token } of commit.changes.events) {
        if (kind !== 'released' || run === undefined) continue
        const rightful = about(commit, run).some(
          (command) => command.kind === 'finish' || (command.kind === 'release' && command.token === token),
        )
        must(rightful, `4. the lease ${token} of ${run} was released by nobody who named it`, commit)
      }
      for (const { event, run, was } of tell(commit).told) {
        const old = commit.before.runs.get(run)
        if (
          event.kind !== 'withdrawn' ||
          !hasSlot(was) ||
          old === undefined ||
          old.token !== event.token ||
          !hasSlot(old.phase)
        )
          continue
        const owners = [old.grantedTo ?? old.ticket, ...about(commit, run).map(({ ticket }) => ticket)]
        const rightful = about(commit, run).some(
          (command) => command.kind === 'withdraw' && owners.includes(command.of),
        )
        must(rightful, `4. the slot of ${run} was withdrawn by a ticket that it was not given to`, commit)
      }
      for (const row of commit.after.runs.values()) {
        const old = rowBefore(commit, row.run)
        if (
          old?.phase !== 'running' ||
          row.phase !== 'running' ||
          old.token !== row.token ||
          old.holder === row.holder
        )
          continue
        const owner = old.grantedTo ?? old.ticket
        must(
          about(commit, row.run).some(({ ticket }) => ticket === owner),
          `4. ${row.run} was moved from ${old.holder} to ${row.holder} by others than ${owner}`,
          commit,
        )
      }
      for (const command of decided(commit)) if ('run' in command) checkGrant(commit, command)
    },
  }
}

function checkGrant(commit: Commit, command: Command): void {
  const { outcome } = command
  if (outcome?.kind !== 'granted' || !('run' in command)) return
  const { run } = command
  const { told } = tell(commit)
  const was = commit.before.runs.get(run)
  const had =
    (was !== undefined && hasSlot(was.phase)) || told.some((one) => one.run === run && hasSlot(one.now))
  must(had, `4. ${run} is said to be granted, and never had a slot`, commit, command)
  if (outcome.again || outcome.row.phase === 'reserved' || isEnqueue(command)) return
  for (const other of decided(commit)) {
    if (other === command || !('run' in other) || other.run !== run || other.ticket === command.ticket)
      continue
    if (other.outcome?.kind !== 'granted' || other.outcome.again || isEnqueue(other)) continue
    const ends = about(commit, run).slice(about(commit, run).indexOf(command))
    const ended = ends.some(
      ({ kind, outcome: end }) =>
        ['release', 'finish', 'withdraw', 'remove', 'requeue'].includes(kind) && end?.kind !== 'absent',
    )
    must(ended, `4. one slot of ${run} was given to two tickets`, commit, command, other)
  }
}

/** An enqueuer is told what there is, be it another's by now. */
function isEnqueue(command: Command): boolean {
  return command.kind === 'acquire' && command.mode === 'enqueue'
}

/** 4, 12. Asked again after a lost answer, a command gives the outcome that was lost, and changes nothing. */
export function repetitionsAgree(): Rule {
  return {
    committed(commit) {
      const first = commit.repeats
      if (first === undefined) return
      const { told } = tell(commit)
      for (const { event, run } of told) {
        if (event.kind !== 'granted' || wasRemoved(commit)) continue
        must(
          promoted(commit, run, event.token) || !wasSlotOf(first, run, commit),
          `12. ${run} was granted again by a repetition`,
          commit,
        )
      }
      if ([commit, first].some((one) => wasRemoved(one) || one.before.repository?.status === 'removing'))
        return
      const commands = decided(commit)
      for (const [i, repeated] of commands.entries()) {
        const original = first.commands[i] as Command
        const alone =
          first.commands.filter(
            (other) => !('run' in other) || !('run' in original) || other.run === original.run,
          ).length === 1
        // Its run's time may be over, and the first batch not have got so far.
        const settled = [...told, ...tell(first).told].some(
          ({ run, event }) => 'run' in repeated && run === repeated.run && SETTLED.includes(event.kind),
        )
        if (alone && !settled)
          must(
            agree(original, repeated),
            '12. the repetition of a command has another outcome',
            commit,
            original,
            repeated,
          )
      }
    },
  }
}

/** Events of rows whose time is over. */
const SETTLED: readonly string[] = ['expired', 'orphaned', 'parked', 'unparked']

function wasSlotOf(first: Commit, run: RunRow['run'], second: Commit): boolean {
  const row = second.before.runs.get(run)
  const mine = about(first, run)
  return row !== undefined && hasSlot(row.phase) && mine.length === 1 && mine[0]?.outcome?.kind === 'granted'
}

function agree(first: Command, second: Command): boolean {
  const a = first.outcome
  const b = second.outcome
  if (a === undefined || b === undefined) return false
  if ('holder' in first && 'holder' in second && first.holder !== second.holder) return true
  // What was refused, waits or was found overdue may have changed since, by promotions of the same commit.
  if (
    b.kind === 'holder-dead' ||
    a.kind === 'refused' ||
    a.kind === 'too-late' ||
    a.kind === 'held-elsewhere' ||
    a.kind === 'holder-dead'
  )
    return true
  // A newer life of the repository began in the same commit.
  if (b.kind === 'refused' && b.reason === 'removed') return true
  if (a.kind === 'granted')
    return (b.kind === 'granted' || (a.again && b.kind === 'already-held')) && a.row.token === b.row.token
  if (a.kind === 'waiting') return b.kind === 'waiting' || b.kind === 'granted'
  // It may have got its slot in the first commit.
  if (first.kind === 'remove' && b.kind === 'running') return true
  // Both say that there is nothing of it.
  if (first.kind === 'withdraw') return true
  if (a.kind === 'released' || a.kind === 'finished')
    return JSON.stringify({ ...a, freed: true }) === JSON.stringify({ ...b, freed: true })
  // It may have been granted again since.
  if (a.kind === 'requeued') return b.kind === 'requeued' || b.kind === 'lost'
  // Somebody may have been started since; but what was set once is not set again.
  if (first.kind === 'run-state') return a.kind !== 'set' || b.kind !== 'set'
  if (first.kind === 'remove-repository') return true
  return a.kind === b.kind
}

/** 8, 9. A dead holder gets nothing; workers' rows always have a holder, reservations and orphans never. */
export function holdersAreAlive(): Rule {
  return {
    committed(commit) {
      for (const { kind, run, holder } of commit.changes.events)
        if (kind === 'claimed' || kind === 'adopted' || kind === 'granted')
          must(!wasGone(commit, holder), `8. ${run} was ${kind} to ${holder}, which is gone`, commit)
      for (const row of commit.after.runs.values()) {
        const old = rowBefore(commit, row.run)
        if (row.holder !== old?.holder)
          must(
            !wasGone(commit, row.holder),
            `8. ${run(row)} was given to ${row.holder}, which is gone`,
            commit,
          )
        const keeper = row.phase === 'running' || (row.phase === 'waiting' && !row.durable)
        must(
          (row.holder !== undefined) === keeper,
          `8. ${run(row)} is ${row.phase}, ${row.durable ? 'durable' : "a worker's"}, held by ${row.holder}`,
          commit,
        )
        if (row.phase === 'reserved' || row.phase === 'orphaned')
          must(row.durable, `8. ${run(row)} is ${row.phase} and not durable`, commit)
        const due = row.phase === 'reserved' || row.phase === 'orphaned' || row.phase === 'record'
        must(row.dueAt !== undefined || !due, `8. ${run(row)} is ${row.phase} for ever`, commit)
        if (row.phase === 'running')
          must(row.dueAt === row.holdUntil, `8. ${run(row)} does not end with its longest hold`, commit)
      }
    },
    drained(store, domain) {
      must(store.overdueRows(domain, false).length === 0, `8. overdue rows are left in ${domain}`)
    },
  }
}

function run(row: RunRow): string {
  return row.run
}

/** 9. Whoever loses a slot or an entry to somebody else learns it by its next heartbeat. */
export function losersAreTold(): Rule {
  return {
    committed(commit) {
      const bumped = new Set<HolderId>(commit.changes.bumped)
      for (const old of commit.before.runs.values()) {
        const { holder } = old
        const row = commit.after.runs.get(old.run)
        if (holder === undefined || holder === commit.by || row?.holder === holder || wasGone(commit, holder))
          continue
        // Its own withdrawal, and asking on under its Manager's next holder, are no news to it.
        const own = about(commit, old.run).some(
          (command) =>
            command.kind === 'withdraw' ||
            command.ticket === (old.grantedTo ?? old.ticket) ||
            ('holder' in command && command.holder === holder),
        )
        must(own || bumped.has(holder), `9. ${holder} lost ${old.run} and is not told`, commit)
      }
    },
  }
}
