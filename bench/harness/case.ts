/** What one run of a subject found, by name; most have a `rate`, in pairs a second, and a `cpuRate`, in pairs a second of CPU time. */
export type Sample = Readonly<Record<string, number>>

/** One run of every subject of a case, by the subject's name. */
export type Round = Readonly<Record<string, Sample>>

/** What a subject is told. It is measured in a fresh process, once. */
export interface Context {
  readonly quick: boolean
  /** Where the case may keep files: empty at the first run but for what `prepare` left there; kept until the case is over. */
  readonly directory: string
}

export type Measure = (context: Context) => Promise<Sample>

/** What a figure has to reach. Compared with the ratio where there is a baseline, else with the figure itself. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number }

/** One line of the report. */
export interface Figure {
  /** Added to the case's name where a case has several. */
  readonly name?: string
  /** `pairs/s`, `bytes`, `ms`, …; without a baseline also `×` for what is a ratio already. */
  readonly unit: string
  readonly ours: Value
  /** Of the same round, so that whatever else the machine does then slows both. */
  readonly baseline?: { readonly name: string; readonly of: Value }
  /** Without one the figure is told and not judged. */
  readonly goal?: Goal
}

/** Subjects that are measured in turn, and the figures made of them. */
export interface Case {
  readonly name: string
  readonly subjects: Readonly<Record<string, Measure>>
  readonly figures: readonly Figure[]
  /** Runs once, before the first round, in a process of its own. */
  readonly prepare?: (context: Context) => Promise<void>
  /** Options of Node for all its processes. */
  readonly nodeOptions?: readonly string[]
  /** How long one of its processes may take; default 120. Whatever takes longer is broken, and the case failed. */
  readonly mostSeconds?: number
  /** Counts that do not vary need fewer runs than rates. */
  readonly mostRuns?: number
}

/** Names a value of a subject. */
export interface Value {
  readonly subject: string
  readonly value: string
  readonly dividedBy?: number
}

/** The rate of a subject. */
export function rateOf(subject: string): Value {
  return { subject, value: 'rate' }
}

/** Any value of a subject. */
export function valueNamed(subject: string, value: string): Value {
  return { subject, value }
}
