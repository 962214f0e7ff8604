import type { RepositoryKey, RunKey } from '@slotkeeper/core'

/** A durable run as the cluster knows it: the truth about whether it was started and is over. */
export interface ClusterRun {
  readonly repository: RepositoryKey
  readonly run: RunKey
  startedAt: number | undefined
  doneAt: number | undefined
}

/** Where durable runs truly run. It outlives every controller. */
export class Cluster {
  readonly #runs = new Map<string, ClusterRun>()

  get all(): Iterable<ClusterRun> {
    return this.#runs.values()
  }

  of(repository: RepositoryKey, run: RunKey): ClusterRun {
    const name = `${repository} ${run}`
    let found = this.#runs.get(name)
    if (found === undefined) {
      found = { repository, run, startedAt: undefined, doneAt: undefined }
      this.#runs.set(name, found)
    }
    return found
  }

  isRunning(repository: RepositoryKey, run: RunKey): boolean {
    const found = this.#runs.get(`${repository} ${run}`)
    return found?.startedAt !== undefined && found.doneAt === undefined
  }

  /** The run begins another life. */
  forget(repository: RepositoryKey, run: RunKey): void {
    this.#runs.delete(`${repository} ${run}`)
  }
}
