import type { Worker } from './fleet.ts'
import type { History, StartedAttempt } from './history.ts'
import type { Plan } from './plan.ts'
import { monotonicMs } from './run-log.ts'

/** From which part of all runs on a worker may be killed; and from which part on one will do that shows less. */
const FROM = 0.35
const ANY_FROM = 0.4

/**
 * Chooses a worker that holds slots of repositories in which others wait, and has runs waiting itself: the most slots first. Later in
 * the demo any worker with a child at work will do. Children about to end do not count, since they might end first.
 */
export function chooseVictim(
  plan: Plan,
  history: History,
  workers: readonly Worker[],
  { share }: { readonly share: number },
): Worker | undefined {
  if (share < FROM) return undefined
  const started = history.started()
  const begun = new Set(started.map(({ run }) => run))
  const crowded = new Set<string>(
    plan.runs.filter(({ run }) => !begun.has(run)).map(({ repository }) => repository),
  )
  const limited = new Set<string>(plan.repositories.filter(({ limit }) => limit > 0).map(({ key }) => key))
  const candidates = workers.map((worker) => {
    const atWork = started.filter((attempt) => attempt.worker === worker.name && hasTime(attempt, worker))
    const telling = atWork.filter(({ repository }) => crowded.has(repository) && limited.has(repository))
    return {
      worker,
      atWork: atWork.length,
      telling: telling.length,
      waiting: worker.runs.filter(({ run }) => !begun.has(run)).length,
    }
  })
  const best = candidates
    .filter(({ telling, waiting }) => telling > 0 && waiting > 0)
    .sort((a, b) => b.telling - a.telling)[0]
  if (best !== undefined || share < ANY_FROM) return best?.worker
  return candidates.filter(({ atWork }) => atWork > 0).sort((a, b) => b.atWork - a.atWork)[0]?.worker
}

/** Whether a child is at work and less than half through. */
function hasTime({ run, start, end }: StartedAttempt, worker: Worker): boolean {
  const seconds = worker.runs.find((planned) => planned.run === run)?.seconds ?? 0
  return end === undefined && monotonicMs() - start.at < seconds * 500
}
