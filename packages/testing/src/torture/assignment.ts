import type { RepositoryKey } from '@slotkeeper/core'

/** What a worker is told when it starts. */
export interface Assignment {
  /** The worker and its how-manieth life: `w2-1`. */
  readonly name: string
  /** The first number of its calls. */
  readonly calls: number
  readonly seed: number
  /** A module that exports `openDriver(store)`. */
  readonly module: string
  readonly store: string
  readonly log: string
  readonly resource: string
  readonly ttlMs: number
  readonly wishers: number
  readonly repositories: readonly RepositoryKey[]
}
