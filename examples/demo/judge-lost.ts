import type { History } from './history.ts'
import type { Plan } from './plan.ts'

/** Every run of the manifests is done once, nothing else is, and every child that began has said its end. */
export function judgeLost(plan: Plan, history: History): readonly string[] {
  const violations: string[] = []
  const started = history.started()
  const done = started.filter(({ end }) => end?.outcome === 'done')
  for (const { run, repository } of plan.runs) {
    const times = done.filter((attempt) => attempt.run === run && attempt.repository === repository).length
    if (times === 0) violations.push(`${run} of ${repository} was lost: it has not been done.`)
    if (times > 1) violations.push(`${run} of ${repository} was done ${times} times.`)
  }
  for (const { run, repository, start, end } of started) {
    if (!plan.runs.some((planned) => planned.run === run && planned.repository === repository))
      violations.push(`${run} of ${repository} began, and is in no manifest.`)
    if (end === undefined)
      violations.push(`${run} of ${repository} began as process ${start.pid} and has not said its end.`)
  }
  return violations
}
