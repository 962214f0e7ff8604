import type {
  Changes,
  Decide,
  Decision,
  DomainBatch,
  Manifest,
  SectionRequest,
  SlotkeeperError,
} from '@slotkeeper/core/driver'
import type { IRangeResponse, IRequestOp } from 'etcd3'
import type { Commit } from './apply-changes.ts'
import type { Loading } from './load-facts.ts'
import type { Loaded } from './loaded.ts'
import type { SharedDomains } from './shared-domains.ts'
import type { Read, Store } from './store.ts'

/** What `transact` needs of its driver. */
export interface Deciding {
  readonly store: Store
  readonly manifest: Manifest
  /** How many rows a commit may change: those of the manifest, or fewer where the server did not take a commit for its bytes. */
  readonly limits: { budget: number }
  /** Names this driver to those who watch. */
  readonly origin: string
  readonly shared: SharedDomains
}

/** A batch on its way. */
export interface Work {
  readonly batch: DomainBatch
  tries: number
  /** The commands that this attempt decides, and what it needs for that. */
  asked: Asked | undefined
}

/** What an attempt decides, and what it needs for that. */
export interface Asked {
  readonly commands: DomainBatch['commands']
  readonly request: SectionRequest
}

/** A load that has not come to its end, and what it asks next or was answered. */
export interface Progress {
  readonly work: Work
  loading: Loading<Loaded> | undefined
  operations: readonly IRequestOp[]
  answers: readonly IRangeResponse[]
  revision: string | undefined
  read: Read | undefined
}

/** What was decided for a domain and is to be committed. */
export interface Decided extends Commit {
  readonly work: Work
  readonly decision: Decision
  readonly changes: Changes
  readonly loaded: Loaded
  /** The most operations of its branches and conditions. */
  readonly width: number
}

/** All that one call decides. */
export interface Call extends Deciding {
  readonly decide: Decide
  readonly signal: AbortSignal | undefined
  /** Those that met somebody else. */
  readonly again: Work[]
}

/** It is decided. */
export function finish({ batch }: Work, decision: Decision, changes: Changes): void {
  batch.decision = decision
  batch.events = changes.events
  batch.done()
}

/** It has failed. */
export function fail({ batch }: Work, error: SlotkeeperError): void {
  batch.error = error
  batch.done()
}
