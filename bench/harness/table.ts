import type { Goal } from './case.ts'
import type { Result } from './judge.ts'

const HEAD = ['', 'ours', '', 'baseline', '', 'ratio', 'by CPU', 'goal', '', 'spread']
/** Columns of numbers, which end at the right. */
const RIGHT = new Set([1, 3, 5, 6, 7, 9])

/** The results as a table for people, a block for each suite. */
export function table(results: readonly Result[]): string {
  const suites = [...new Set(results.map((result) => result.suite))]
  return suites
    .map((suite) =>
      block(
        suite,
        results.filter((result) => result.suite === suite),
      ).join('\n'),
    )
    .join('\n\n')
}

function block(suite: string, results: readonly Result[]): string[] {
  const rows = [[suite, ...HEAD.slice(1)], ...results.map(cells)]
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)))
  return rows.map((row) =>
    row
      .map((cell, column) =>
        RIGHT.has(column) ? cell.padStart(widths[column] as number) : cell.padEnd(widths[column] as number),
      )
      .join('  ')
      .trimEnd(),
  )
}

function cells(result: Result): string[] {
  const { ours, unit, baseline, baselineName, ratio, cpuRatio, goal, met, spread } = result
  return [
    result.case,
    ours === null ? 'failed' : amount(ours),
    unit,
    baseline === null ? '' : amount(baseline),
    baselineName ?? '',
    ratio === null ? '' : ratio.toFixed(2),
    cpuRatio === null ? '' : cpuRatio.toFixed(2),
    goal === null ? '' : bound(goal),
    met === null ? '' : met ? 'met' : 'MISSED',
    spread === null ? '' : Number.isFinite(spread) ? `${Math.round(spread * 100)} %` : '∞',
  ]
}

function bound(goal: Goal): string {
  return 'atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`
}

/** A number with as many digits as say something. */
function amount(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}
