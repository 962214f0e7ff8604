/** What must hold of the queue: who goes first, that places are kept, that nobody waits for nothing. */
import type { AcquireCommand } from '../../../src/commands.ts'
import type { RunRow } from '../../../src/rows.ts'
import {
  about,
  before,
  hasSlot,
  isAdoptedBeyond,
  isEligible,
  limitOfRow,
  must,
  promoted,
  rowBefore,
  tell,
  wasRemoved,
} from './telling.ts'
import type { Rule } from './world.ts'

/** 3. Among eligible entries the highest priority goes first, then the lowest sequence; nobody is passed. */
export function orderHolds(): Rule {
  return {
    committed(commit) {
      const { decision, after } = commit
      for (let i = 1; i < decision.granted.length; i++)
        must(
          before(decision.granted[i - 1] as RunRow, decision.granted[i] as RunRow) < 0,
          '3. promotions are not in order',
          commit,
        )
      const left = [...after.runs.values()].filter((row) => isEligible(commit, row))
      for (const row of decision.granted)
        for (const other of left)
          must(before(row, other) < 0, `3. ${row.run} was promoted before ${other.run}`, commit)
      for (const { kind, run, token, ticket } of commit.changes.events) {
        const asked = about(commit, run as RunRow['run']).find(
          (command): command is AcquireCommand => command.kind === 'acquire' && command.ticket === ticket,
        )
        if (kind === 'enqueued') must(asked?.mode !== 'try', `3. a try enqueued ${run}`, commit)
        if (
          kind !== 'granted' ||
          run === undefined ||
          promoted(commit, run, token) ||
          isAdoptedBeyond(commit, run, token)
        )
          continue
        for (const other of left) {
          const old = rowBefore(commit, other.run)
          const stayed = old !== undefined && old.sequence === other.sequence && isEligible(commit, old)
          must(!stayed, `3. ${run} passed ${other.run}`, commit)
        }
      }
    },
  }
}

/** 3. Retrying, parking, adopting, requeueing and resuming never move a run; a new attempt goes to the end. */
export function placesAreKept(): Rule {
  return {
    committed(commit) {
      const { told } = tell(commit)
      const last = wasRemoved(commit) ? 0 : (commit.before.repository?.lastSequence ?? 0)
      const seen = new Set<number>()
      for (const row of commit.after.runs.values()) {
        must(!seen.has(row.sequence), `3. sequence ${row.sequence} was given twice`, commit)
        seen.add(row.sequence)
        must(
          row.sequence <= (commit.after.repository?.lastSequence ?? 0),
          '3. the last sequence is behind',
          commit,
        )
        const old = rowBefore(commit, row.run)
        if (old === undefined) continue
        const ended = told.some(({ run, now }) => run === row.run && now === 'record')
        const resumed =
          old.phase === 'record' &&
          old.ending === 'expired' &&
          old.endedBy === undefined &&
          !ended &&
          old.ticket === row.ticket &&
          (row.phase === 'waiting' || promoted(commit, row.run, row.token))
        if ((old.phase !== 'record' && !ended) || resumed) {
          must(
            row.sequence === old.sequence,
            `3. ${row.run} moved from ${old.sequence} to ${row.sequence}`,
            commit,
          )
          must(row.priority === old.priority, `3. ${row.run} changed its priority`, commit)
        } else
          must(
            row.sequence === old.sequence || row.sequence > last,
            `3. ${row.run} began at an old sequence`,
            commit,
          )
      }
    },
  }
}

/** Decided until there is no more to do, nothing is left that could go on. */
export function endsComplete(): Rule {
  return {
    drained(store, domain) {
      const { repository, runs, guard } = store.domain(domain)
      must(!guard.backlog, `7. the backlog of ${domain} is still marked`)
      if (repository === undefined) return
      must(repository.status !== 'removing', `7. ${domain} is still being removed`)
      if (repository.state !== 'active') return
      const limit = limitOfRow(repository)
      const live = [...runs.values()].filter((row) => hasSlot(row.phase)).length
      const waits = [...runs.values()].find((row) => row.phase === 'waiting' && row.dueAt === undefined)
      must(
        waits === undefined || (limit > 0 && live >= limit),
        `7. ${waits?.run} waits while ${live} of ${limit} are taken`,
      )
    },
  }
}
