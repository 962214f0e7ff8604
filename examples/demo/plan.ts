import type { RepositoryKey, RunKey } from '@slotkeeper/core'

/** A repository of the manifests. */
export interface PlannedRepository {
  readonly key: RepositoryKey
  /** 0 = unlimited. */
  readonly limit: number
}

/** A run of the manifests: one child process that works for so long. */
export interface PlannedRun {
  readonly run: RunKey
  readonly repository: RepositoryKey
  readonly priority: number
  readonly seconds: number
}

/** What the manifests ask for, in the order in which they say it. */
export interface Plan {
  readonly repositories: readonly PlannedRepository[]
  readonly runs: readonly PlannedRun[]
}

/** What a child process costs beyond its work, and what the killed worker costs the whole: both about, both in seconds. */
const START_SECONDS = 0.1
const KILL_SECONDS = 4
const SHORTEST_SECONDS = 0.05

/** About how long the plan takes, in seconds, with one worker killed. */
export function estimateSeconds(plan: Plan): number {
  return KILL_SECONDS + workSeconds(plan)
}

/** About how long the plan takes, in seconds, while nothing happens: the repository with the most work a slot decides. */
export function workSeconds(plan: Plan): number {
  return Math.max(...busy(plan).map(({ work, starts }) => work + starts))
}

/** The same plan with shorter or longer runs, so that it takes about `seconds`. */
export function scaleTo(plan: Plan, seconds: number): Plan {
  const factor = Math.min(
    ...busy(plan).map(({ work, starts }) => Math.max(0, (seconds - KILL_SECONDS - starts) / work)),
  )
  const runs = plan.runs.map((run) => ({
    ...run,
    seconds: Math.max(SHORTEST_SECONDS, run.seconds * factor),
  }))
  return { ...plan, runs }
}

/** Deals the runs out so that several workers compete for every repository; each run goes to one worker. */
export function deal(plan: Plan, workers: number): readonly (readonly PlannedRun[])[] {
  const hands: PlannedRun[][] = Array.from({ length: workers }, () => [])
  let next = 0
  for (const { key } of plan.repositories)
    for (const run of plan.runs) if (run.repository === key) hands[next++ % workers]?.push(run)
  return hands
}

/** How long each repository that has runs keeps its slots busy, in seconds. */
function busy({ repositories, runs }: Plan): readonly { work: number; starts: number }[] {
  return repositories.flatMap(({ key, limit }) => {
    const own = runs.filter((run) => run.repository === key)
    if (own.length === 0) return []
    const lanes = limit === 0 ? own.length : Math.min(limit, own.length)
    const sum = own.reduce((seconds, run) => seconds + run.seconds, 0)
    const longest = Math.max(...own.map((run) => run.seconds))
    return [{ work: Math.max(longest, sum / lanes), starts: (START_SECONDS * own.length) / lanes }]
  })
}
