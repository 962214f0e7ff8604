/** What must hold of every commit, for the stores. */
import { hasSlot, isEligible, limitOfRow, must, wasGone } from './telling.ts'
import type { Rule } from './world.ts'

/** Every decided command has its outcome and no other; the commit is within its budget; progress is made. */
export function budgetHolds(): Rule {
  return {
    committed(commit) {
      const { changes, budget, commands, decision, left } = commit
      const { repositories, droppedRepositories, runs, droppedRuns, buried, bumped, guard } = changes
      const size =
        repositories.length +
        droppedRepositories.length +
        runs.length +
        droppedRuns.length +
        buried.length +
        bumped.length +
        Number(guard !== undefined)
      must(size <= budget, `Budget: ${size} changes in a commit of at most ${budget}`, commit)
      must(
        left >= 0 && size <= budget - left,
        `Budget: ${size} changes, ${left} of ${budget} said to be left`,
        commit,
      )
      must(commands.length === 0 || decision.decided > 0, 'Progress: no command was decided', commit)
      for (const [i, command] of commands.entries())
        must(
          (command.outcome !== undefined) === i < decision.decided,
          `Outcomes: command ${i} of ${decision.decided} decided has ${command.outcome?.kind}`,
          commit,
        )
      must(
        decision.more || decision.decided === commands.length,
        'More: commands are left, and no more is said to be to do',
        commit,
      )
      must(commit.after.guard.backlog === decision.more, 'More: the guard does not say so', commit)
      const same = size === 0
      must(changes.empty === same, `Empty: ${changes.empty} with ${size} changes`, commit)
    },
  }
}

/** 7. Whatever could be done at once is done, or said to be still to do. */
export function moreIsSaid(): Rule {
  return {
    committed(commit) {
      const { repository, runs } = commit.after
      if (commit.decision.more || repository === undefined) return
      must(repository.status !== 'removing', 'More: the removal is not over', commit)
      if (repository.state === 'active') {
        const limit = limitOfRow(repository)
        const live = [...runs.values()].filter((row) => hasSlot(row.phase)).length
        const waits = [...runs.values()].find((row) => isEligible(commit, row))
        must(waits === undefined || (limit > 0 && live >= limit), `More: ${waits?.run} could go`, commit)
      }
      if (commit.window.late) return
      for (const row of runs.values()) {
        const due = row.phase !== 'record' && row.dueAt !== undefined && row.dueAt <= commit.now
        must(!due && !wasGone(commit, row.holder), `More: ${row.run} is overdue still`, commit)
      }
    },
  }
}
