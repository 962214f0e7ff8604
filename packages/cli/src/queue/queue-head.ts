import type { Manager, RepositoryKey } from '@slotkeeper/core'
import { type QueueReport, queueReports } from '../reports/queue-report.ts'
import { type RepositoryReport, repositoryReport } from '../reports/repository-report.ts'

/** What `queue --json` prints. Fields are only ever added. */
export interface QueueHead extends RepositoryReport {
  /** The store, as `--store` takes it. */
  readonly store: string
  /** When it was read. */
  readonly at: string
  readonly queue: readonly QueueReport[]
  /** How many wait behind those. */
  readonly more: number
}

/** Reads the first so many of a queue, and no more of it. */
export async function readQueue(
  manager: Manager,
  store: string,
  repository: RepositoryKey,
  first: number,
): Promise<QueueHead> {
  const info = await manager.getCurrentSlots(repository)
  const queue = await manager.getQueuedPipelineRuns(repository, { first })
  return {
    store,
    at: new Date().toISOString(),
    ...repositoryReport(info),
    queue: queueReports(queue),
    // Some may have come or gone between the two questions.
    more: queue.length < first ? 0 : Math.max(0, info.waiting - queue.length),
  }
}
