import type { Manager, RepositoryKey } from '@slotkeeper/core'
import { type QueueReport, queueReports } from '../reports/queue-report.ts'
import { type RepositoryReport, repositoryReport } from '../reports/repository-report.ts'
import { type SlotReport, slotReport } from '../reports/slot-report.ts'

/** What `status --json` prints: the shape is part of the command's interface, and fields are only ever added. */
export interface StatusReport {
  /** The store, as `--store` takes it. */
  readonly store: string
  /** When it was read. */
  readonly at: string
  readonly repositories: readonly RepositoryStatus[]
}

/** One repository; its slots and its queue only with `--repository`. */
interface RepositoryStatus extends RepositoryReport {
  /** Oldest first. */
  readonly slots?: readonly SlotReport[]
  /** The first 1,000, in the order in which they go. */
  readonly queue?: readonly QueueReport[]
}

const PAGE = 1000

/** Reads what there is: every repository, or one with its slots and its queue. */
export async function readStatus(
  manager: Manager,
  store: string,
  repository: RepositoryKey | undefined,
): Promise<StatusReport> {
  const repositories =
    repository === undefined ? await readAll(manager) : [await readOne(manager, repository)]
  return { store, at: new Date().toISOString(), repositories }
}

async function readAll(manager: Manager): Promise<RepositoryReport[]> {
  const reports: RepositoryReport[] = []
  for (let after = ''; ; ) {
    const page = await manager.getRepositories({ first: PAGE, after })
    reports.push(...page.map(repositoryReport))
    const last = page.at(-1)
    if (page.length < PAGE || last === undefined) return reports
    after = last.repository
  }
}

async function readOne(manager: Manager, repository: RepositoryKey): Promise<RepositoryStatus> {
  const info = await manager.getCurrentSlots(repository)
  const slots = await manager.getRunningPipelineRuns(repository)
  const queue = await manager.getQueuedPipelineRuns(repository, { first: PAGE })
  return { ...repositoryReport(info), slots: slots.map(slotReport), queue: queueReports(queue) }
}
