// Pairs as users write them, for the suites of all stores: take a slot under a limit, give it back.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Manager, type Repository, type RunKey, repository, type Slot } from '@slotkeeper/core'
import type { Pace } from '../harness/pace.ts'

const REPOSITORIES = 1000

/** Many repositories, each with a limit that is never reached. */
export function manyRepositories(): Repository[] {
  return Array.from({ length: REPOSITORIES }, (_, at) =>
    repository(`bench/repository-${at}`, { concurrencyLimit: 64 }),
  )
}

/** The same, in each of which a pair was done: a store keeps a repository from its first run on, and making it takes longer. */
export async function knownRepositories(manager: Manager): Promise<Repository[]> {
  const repositories = manyRepositories()
  const first = newRuns('first')
  await Promise.all(
    repositories.map(async (of) => {
      const outcome = await manager.acquireSlot({ repository: of, run: first() })
      if (outcome.kind !== 'granted') throw new Error(`A free slot was not granted: ${outcome.kind}.`)
      await outcome.slot.release()
    }),
  )
  return repositories
}

/** Names of runs that were never used before, made where they are needed. */
export function newRuns(prefix: string): () => RunKey {
  let made = 0
  return () => `bench/${prefix}-${made++}`
}

/** The same names again and again, one for each repository: a job that runs once more. */
export function sameRuns(prefix: string): () => RunKey {
  const names = Array.from({ length: REPOSITORIES }, (_, at): RunKey => `bench/${prefix}-${at}`)
  let at = 0
  return () => names[at++ % REPOSITORIES] as RunKey
}

/** A loop of `acquireSlot` and `release` over the repositories in turn. */
export function acquiring(manager: Manager, repositories: readonly Repository[], nextRun: () => RunKey) {
  let at = 0
  return async (pace: Pace): Promise<void> => {
    while (pace.goesOn()) {
      const of = repositories[at++ % repositories.length] as Repository
      const outcome = await manager.acquireSlot({ repository: of, run: nextRun() })
      if (outcome.kind !== 'granted') throw new Error(`A free slot was not granted: ${outcome.kind}.`)
      await outcome.slot.release()
    }
  }
}

/** A loop of `waitForSlot` and `release` over the repositories in turn. */
export function waiting(manager: Manager, repositories: readonly Repository[], nextRun: () => RunKey) {
  let at = 0
  return async (pace: Pace): Promise<void> => {
    while (pace.goesOn()) {
      const of = repositories[at++ % repositories.length] as Repository
      const slot = await manager.waitForSlot({ repository: of, run: nextRun() })
      await slot.release()
    }
  }
}

/** A loop of `withSlot` over the repositories in turn. */
export function withSlot(manager: Manager, repositories: readonly Repository[], nextRun: () => RunKey) {
  const work = async () => {}
  let at = 0
  return async (pace: Pace): Promise<void> => {
    while (pace.goesOn()) {
      const of = repositories[at++ % repositories.length] as Repository
      await manager.withSlot({ repository: of, run: nextRun() }, work)
    }
  }
}

/** As many as one call of `addToPendingQueue` takes. */
const AT_ONCE = 10_000

/** Enqueues runs durably. */
export async function enqueue(
  manager: Manager,
  of: Repository,
  count: number,
  nextRun: () => RunKey,
): Promise<void> {
  for (let left = count; left > 0; left -= AT_ONCE) {
    const runs = Array.from({ length: Math.min(left, AT_ONCE) }, () => ({ run: nextRun() }))
    await manager.queueManager.addToPendingQueue(of, runs)
  }
}

/**
 * A loop over a repository with a limit of one slot and a queue that never gets shorter: a run joins at the end, the one that has the
 * slot ends, the next one's reservation is claimed.
 */
export function passingOn(manager: Manager, of: Repository, nextRun: () => RunKey) {
  let held: Slot | undefined
  return async (pace: Pace): Promise<void> => {
    held ??= await firstSlot(manager, of)
    while (pace.goesOn()) {
      await manager.queueManager.addToPendingQueue(of, [{ run: nextRun() }])
      const next = await manager.queueManager.removeAndTakeItemFromQueue(of, held.run)
      if (next === undefined) throw new Error('Nobody was next in a queue that is not empty.')
      await next.claim()
      held = next
    }
  }
}

/** Filling a long queue takes longer than a reservation waits to be claimed; then it goes to the next one. */
async function firstSlot(manager: Manager, of: Repository): Promise<Slot> {
  for (let tries = 0; tries < 100; tries++) {
    const [info] = await manager.getRunningPipelineRuns(of)
    const outcome = info === undefined ? undefined : await manager.adoptSlot(info)
    if (outcome?.kind === 'granted') return outcome.slot
    await sleep(50)
  }
  throw new Error('The first of the queue has no slot.')
}
