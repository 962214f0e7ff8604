/** What must hold of runs: none is lost, their states go forward. */
import type { RunState } from '../../../src/rows.ts'
import { about, decided, must, rowBefore, tell, wasGone } from './telling.ts'
import type { Commit, Rule } from './world.ts'

/** 5. No run is lost: whatever waits or holds goes on, unless somebody or its time ended it. Setting a limit or a state ends nobody. */
export function nothingIsLost(): Rule {
  return {
    committed(commit) {
      const { told, phases } = tell(commit)
      for (const row of commit.after.runs.values())
        must(
          (phases.get(row.run) ?? 'record') === row.phase,
          `5. ${row.run} is ${row.phase} without an event that says so`,
          commit,
        )
      for (const [run, phase] of phases)
        if (!commit.after.runs.has(run)) must(phase === 'record', `5. ${run} vanished`, commit)
      for (const [run] of commit.before.runs)
        if (!commit.after.runs.has(run))
          must(commit.before.repository?.status === 'removing', `5. the row of ${run} vanished`, commit)
      for (const one of told)
        must(hasCause(commit, one), `5. ${one.run}: ${one.event.kind} without a cause`, commit)
      for (const command of decided(commit))
        if (command.kind === 'acquire' && command.outcome?.kind === 'waiting') {
          const phase = phases.get(command.run)
          const ended = told.some(({ run, now }) => run === command.run && now === 'record')
          must(
            (phase !== undefined && phase !== 'record') || ended,
            `5. ${command.run} was said to wait, and does not`,
            commit,
          )
        }
    },
  }
}

function hasCause(commit: Commit, { event, run, was }: ReturnType<typeof tell>['told'][number]): boolean {
  const row = commit.before.runs.get(run)
  const due = row?.dueAt !== undefined && row.dueAt <= commit.now
  const gone = row !== undefined && wasGone(commit, row.holder)
  const commands = about(commit, run)
  switch (event.kind) {
    case 'enqueued':
      return was === 'record' && commands.some(({ kind }) => kind === 'acquire')
    case 'granted':
      return (
        (was === 'waiting' || was === 'record') &&
        (was === 'waiting' || commands.some(({ kind }) => kind === 'acquire' || kind === 'adopt'))
      )
    case 'claimed':
      return (
        was === 'reserved' &&
        commands.some(({ kind }) => kind === 'acquire' || kind === 'claim' || kind === 'adopt')
      )
    case 'adopted':
      return was === 'orphaned' && commands.some(({ kind }) => kind === 'adopt')
    case 'unparked':
      return due || commands.some(({ kind }) => kind === 'acquire')
    case 'parked':
      return row?.phase === 'reserved' && due
    case 'orphaned':
      return (
        (row?.phase === 'running' && row.durable && gone) || commands.some(({ kind }) => kind === 'withdraw')
      )
    case 'expired':
      if (row === undefined) return false
      // Left as an orphan in this commit, with its longest hold over.
      if (row.phase !== was) return due && row.phase === 'running' && was === 'orphaned'
      return was === 'waiting'
        ? gone
        : was === 'running'
          ? due || (gone && !row.durable)
          : was === 'orphaned' && due
    case 'released':
      return commands.some(({ kind }) => kind === 'release' || kind === 'finish')
    case 'requeued':
      return commands.some((command) =>
        command.kind === 'requeue' ? command.token === event.token : command.kind === 'withdraw',
      )
    case 'withdrawn':
      return commands.some((command) => command.kind === 'withdraw' && command.of === event.ticket)
    case 'removed':
      return (
        commit.before.repository?.status === 'removing' ||
        commands.some(
          (command) =>
            command.kind === 'remove' ||
            (command.kind === 'acquire' &&
              command.runUid !== undefined &&
              !isOlder(command.ticket, event.ticket)),
        )
      )
    default:
      return true
  }
}

/** Whether one caller made `ticket` before `other`. */
function isOlder(ticket: string, other: string | undefined): boolean {
  return other?.split('.')[0] === ticket.split('.')[0] && ticket < (other as string)
}

/** 6. A state never goes backwards within an attempt; requeueing takes a claim back, withdrawing the whole attempt. */
export function statesGoForward(): Rule {
  return {
    committed(commit) {
      const { told } = tell(commit)
      for (const row of commit.after.runs.values()) {
        const old = rowBefore(commit, row.run)
        if (old === undefined) continue
        const kinds = told.filter(({ run }) => run === row.run).map(({ event }) => event.kind)
        const between = about(commit, row.run).some(
          (command) =>
            ('runUid' in command && command.runUid !== row.runUid) ||
            (command.kind === 'adopt' && command.beyond?.runUid !== row.runUid),
        )
        const over =
          isEnd(old.state) &&
          old.runUid !== undefined &&
          old.runUid === row.runUid &&
          old.phase === 'record' &&
          !between
        const asked =
          old.ending === 'expired' && about(commit, row.run).some(({ ticket }) => ticket === old.ticket)
        // Whoever proves that it runs disproves an end that nobody had told of.
        const disproved =
          old.state === 'expired' &&
          old.maxHoldMs === 0 &&
          about(commit, row.run).some(({ kind }) => kind === 'adopt')
        const resumed = asked || disproved || (kinds.includes('expired') && kinds.includes('enqueued'))
        if (over && !resumed)
          must(row.phase === 'record', `6. the finished attempt of ${row.run} goes on`, commit)
        if (
          old.sequence !== row.sequence ||
          resumed ||
          kinds.includes('withdrawn') ||
          kinds.includes('removed')
        )
          continue
        if (isEnd(old.state))
          must(row.state === old.state, `6. ${row.run} was ${old.state} and is ${row.state}`, commit)
        else if (kinds.includes('expired') && !kinds.includes('run-state'))
          must(isEnd(row.state) || row.state === undefined, '6. an expired run goes on', commit)
        else if (!kinds.includes('requeued') && !kinds.includes('parked') && !kinds.includes('expired'))
          must(
            rank(row.state) >= rank(old.state),
            `6. ${row.run} went from ${old.state} to ${row.state}`,
            commit,
          )
      }
    },
  }
}

function isEnd(state: RunState | undefined): boolean {
  return state !== undefined && state !== 'queued' && state !== 'started'
}

function rank(state: RunState | undefined): number {
  return state === undefined ? 0 : state === 'queued' ? 1 : state === 'started' ? 2 : 3
}

/** 6, 12. A ticket whose entry or slot was ended by somebody is not served again, as long as the run's record tells. */
export function endedTicketsStayEnded(): Rule {
  return {
    committed(commit) {
      for (const command of decided(commit)) {
        if (command.kind !== 'acquire' && command.kind !== 'adopt') continue
        const { run, ticket } = command
        const old = rowBefore(commit, run)
        const row = commit.after.runs.get(run)
        if (
          old?.phase !== 'record' ||
          old.ending === undefined ||
          old.ending === 'expired' ||
          row === undefined
        )
          continue
        // Another attempt in between takes the record's place.
        if (
          (old.ticket !== ticket && old.grantedTo !== ticket) ||
          about(commit, run).some((other) => other.ticket !== ticket)
        )
          continue
        must(row.phase === 'record', `6. ${ticket} was ended and is served again`, commit)
      }
    },
  }
}
