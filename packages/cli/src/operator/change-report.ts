import type { RepositoryKey } from '@slotkeeper/core'

/** What `--json` prints of a change. Fields are only ever added. */
export interface ChangeReport {
  /** The store, as `--store` takes it. */
  readonly store: string
  readonly at: string
  readonly action: 'release' | 'pause' | 'resume' | 'drain' | 'limit'
  readonly repository: RepositoryKey
  readonly actor: string
  readonly reason: string | null
}
