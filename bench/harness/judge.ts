import type { Case, Figure, Goal, Round } from './case.ts'
import { median, spreadOf } from './statistics.ts'

/** A figure over all its runs. */
export interface Result {
  readonly suite: string
  readonly case: string
  readonly unit: string
  /** Medians over the runs. */
  readonly ours: number
  readonly baseline: number | null
  readonly baselineName: string | null
  /** The median of the runs' ratios; `null` without a baseline, then `ours` is what the goal is about. */
  readonly ratio: number | null
  readonly goal: Goal | null
  readonly met: boolean | null
  /** (max − min) ÷ median of what is judged: the ratio, or `ours`. */
  readonly spread: number
  readonly runs: number
  readonly quick: boolean
}

/** Makes the figures of a case from its rounds. */
export function judge(
  suite: string,
  one: Case,
  rounds: readonly Round[],
  { quick }: { readonly quick: boolean },
): Result[] {
  return one.figures.map((figure) => ({ suite, quick, ...resultOf(one.name, figure, rounds) }))
}

function resultOf(
  caseName: string,
  figure: Figure,
  rounds: readonly Round[],
): Omit<Result, 'suite' | 'quick'> {
  const { name, unit, baseline, goal } = figure
  const ours = rounds.map(figure.ours)
  const against = baseline === undefined ? undefined : rounds.map(baseline.of)
  const ratios = against?.map((value, at) => (ours[at] as number) / value)
  const judged = ratios ?? ours
  return {
    case: name === undefined ? caseName : `${caseName}: ${name}`,
    unit,
    ours: median(ours),
    baseline: against === undefined ? null : median(against),
    baselineName: baseline?.name ?? null,
    ratio: ratios === undefined ? null : median(ratios),
    goal: goal ?? null,
    met: goal === undefined ? null : isMet(goal, median(judged)),
    spread: spreadOf(judged),
    runs: rounds.length,
  }
}

function isMet(goal: Goal, value: number): boolean {
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost
}
