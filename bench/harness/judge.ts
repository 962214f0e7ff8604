import type { Case, Figure, Goal, Round, Value } from './case.ts'
import { median, spreadOf } from './statistics.ts'

/** A figure over all its runs. */
export interface Result {
  readonly suite: string
  readonly case: string
  readonly unit: string
  /** Medians over the runs; `null` when it could not be measured. */
  readonly ours: number | null
  readonly baseline: number | null
  readonly baselineName: string | null
  /** The median of the runs' ratios; `null` without a baseline, then `ours` is what the goal is about. */
  readonly ratio: number | null
  /** The same by CPU time, which other work on the machine changes less. Told beside, not judged. */
  readonly cpuRatio: number | null
  readonly goal: Goal | null
  readonly met: boolean | null
  /** (max − min) ÷ median of what is judged: the ratio, or `ours`. */
  readonly spread: number | null
  readonly runs: number
  readonly quick: boolean
}

/** Makes the figures of a case from its rounds; without a round none could be measured, so no goal of it is met. */
export function judge(
  suite: string,
  one: Case,
  rounds: readonly Round[],
  { quick }: { readonly quick: boolean },
): Result[] {
  return one.figures.map((figure) => {
    const { name, unit, baseline, goal } = figure
    return {
      suite,
      case: name === undefined ? one.name : `${one.name}: ${name}`,
      unit,
      baselineName: baseline?.name ?? null,
      goal: goal ?? null,
      runs: rounds.length,
      quick,
      ...(rounds.length === 0 ? unmeasured(goal) : measured(figure, rounds)),
    }
  })
}

type Measured = Pick<Result, 'ours' | 'baseline' | 'ratio' | 'cpuRatio' | 'met' | 'spread'>

function unmeasured(goal: Goal | undefined): Measured {
  return {
    ours: null,
    baseline: null,
    ratio: null,
    cpuRatio: null,
    met: goal === undefined ? null : false,
    spread: null,
  }
}

function measured({ ours, baseline, goal }: Figure, rounds: readonly Round[]): Measured {
  const values = rounds.map((round) => pick(round, ours))
  const against = baseline === undefined ? undefined : rounds.map((round) => pick(round, baseline.of))
  const ratios = against?.map((value, at) => (values[at] as number) / value)
  const judged = ratios ?? values
  return {
    ours: median(values),
    baseline: against === undefined ? null : median(against),
    ratio: ratios === undefined ? null : median(ratios),
    cpuRatio: baseline === undefined ? null : cpuRatio(rounds, ours, baseline.of),
    met: goal === undefined ? null : isMet(goal, median(judged)),
    spread: spreadOf(judged),
  }
}

function pick(round: Round, { subject, value, dividedBy = 1 }: Value): number {
  const found = round[subject]?.[value]
  if (found === undefined) throw new Error(`The subject ${subject} did not tell its ${value}.`)
  return found / dividedBy
}

function cpuRatio(rounds: readonly Round[], ours: Value, theirs: Value): number | null {
  if (ours.value !== 'rate' || theirs.value !== 'rate') return null
  const ratios: number[] = []
  for (const round of rounds) {
    const mine = round[ours.subject]?.cpuRate
    const other = round[theirs.subject]?.cpuRate
    if (mine !== undefined && other !== undefined) ratios.push(mine / (other / (theirs.dividedBy ?? 1)))
  }
  return ratios.length === 0 ? null : median(ratios)
}

function isMet(goal: Goal, value: number): boolean {
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost
}
