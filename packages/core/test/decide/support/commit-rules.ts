/** What must hold of every commit, for the stores. */
import { must } from './telling.ts'
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
