import { loadavg } from 'node:os'
import type { Result } from './judge.ts'

/**
 * A result as one line. `goal` is the number and `bound` says whether it is the least or the most; `judged` names the field that it is
 * compared with. `load` is the machine's load average of the minute before the line.
 */
export function jsonLine(result: Result): string {
  const { suite, case: name, ours, baseline, baselineName, ratio, goal, met, spread, ...rest } = result
  return JSON.stringify({
    suite,
    case: name,
    ours: round(ours),
    baseline: round(baseline),
    baselineName,
    ratio: round(ratio),
    goal: goal === null ? null : 'atLeast' in goal ? goal.atLeast : goal.atMost,
    met,
    spread: round(spread),
    bound: goal === null ? null : 'atLeast' in goal ? 'at least' : 'at most',
    judged: ratio === null ? 'ours' : 'ratio',
    ...rest,
    load: round(loadavg()[0] as number),
  })
}

function round(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(5))
}
