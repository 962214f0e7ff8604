import type { History } from './history.ts'
import type { PlannedRepository } from './plan.ts'

/** Counts the children at work, line by line. A child that never said its end counts to the end of the log. */
export function judgeLimit(
  { key, limit }: PlannedRepository,
  history: History,
): { readonly peak: number; readonly violations: readonly string[] } {
  const steps = history
    .started()
    .filter(({ repository }) => repository === key)
    .flatMap((attempt) => [
      { line: attempt.start.line, attempt, begins: true },
      ...(attempt.end === undefined ? [] : [{ line: attempt.end.line, attempt, begins: false }]),
    ])
    .sort((a, b) => a.line - b.line)
  const atWork = new Set<string>()
  const violations: string[] = []
  let peak = 0
  for (const { line, attempt, begins } of steps) {
    const child = `${attempt.run} (process ${attempt.start.pid})`
    if (begins) atWork.add(child)
    else atWork.delete(child)
    if (begins && limit > 0 && atWork.size > limit)
      violations.push(
        `${key} has the limit ${limit}, and at line ${line} of the log ${atWork.size} children were at work: ${[...atWork].join(', ')}.`,
      )
    peak = Math.max(peak, atWork.size)
  }
  return { peak, violations }
}
