import type { Limit, RepositoryInfo, RepositoryKey, RepositoryState } from '@slotkeeper/core'

/** One repository, as JSON. */
export interface RepositoryReport {
  readonly repository: RepositoryKey
  readonly state: RepositoryState
  readonly limit: Limit
  /** Slots taken, by phase. */
  readonly running: number
  readonly reserved: number
  readonly orphaned: number
  /** Runs that wait. */
  readonly waiting: number
}

/** A repository's limit and counts for JSON. */
export function repositoryReport({
  repository,
  state,
  limit,
  running,
  reserved,
  orphaned,
  waiting,
}: RepositoryInfo): RepositoryReport {
  return { repository, state, limit, running, reserved, orphaned, waiting }
}
