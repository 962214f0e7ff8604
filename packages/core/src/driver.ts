import type { Command, Place } from './commands.ts'
import type { SlotkeeperError } from './errors.ts'
import type { HolderId, RepositoryKey, RunKey } from './keys.ts'
import type { Logger } from './logger.ts'
import type { HolderRow, RepositoryRow, RunRow, StoreEvent } from './rows.ts'
import type { Decide, Decision, Section } from './section.ts'

/** Facts about a driver that steer the Manager and the conformance suite. */
export interface Manifest {
  /** Who can share the store: one process, the processes of one host, or a network. */
  readonly scope: 'process' | 'host' | 'network'
  /** `transact`, `read` and the holder methods answer without a promise; such a driver gets no batching. */
  readonly synchronous: boolean
  /** `push`: `watch` tells within milliseconds. `poll`: it looks at intervals. */
  readonly wakes: 'push' | 'poll'
  /** The shortest holder TTL that the store can keep, in ms. */
  readonly minimumTtlMs: number
  /** How far store time may lag behind real time in one process more than in another, in ms; 0 where the store has one clock. */
  readonly clockLagMs: number
  /** How many rows one commit may change; at least 16. */
  readonly budget: number
  /** How often a Manager looks, although nobody told it, for those who wait in it, in ms: for 500 of them, others each time. */
  readonly backstopMs: number
}

/** How a driver is opened. */
export interface OpenOptions {
  /** `migrate`: makes the store where there is none and brings it up to the release. `check`: changes nothing, and fails instead. */
  readonly schema: 'migrate' | 'check'
  /** Where a driver says what no answer of it tells: that it goes on in another way than before, and back. Default: nowhere. */
  readonly logger?: Logger
}

/** The commands of one domain, decided together in one commit. */
export interface DomainBatch {
  readonly domain: string
  /** The holder of the Manager that asks, if it has one. */
  readonly by: HolderId | undefined
  readonly commands: readonly Command[]
  /** Written by the driver after the commit: what `decide` returned. */
  decision: Decision | undefined
  /** Written by the driver where the domain failed. Retryable: its commands may have taken effect, and are asked again with the same tickets. Else they have not. */
  error: SlotkeeperError | undefined
  /** Written by the driver: what the commit told (it may leave out what nobody watches). */
  events: readonly StoreEvent[]
  /** May be called by a driver that had to wait, before it begins to decide: takes along in `commands` what was asked of the domain meanwhile. */
  join?(): void
  /** May be called once `decision` or `error` is written, so that a slow domain does not hold up the answers of the others. */
  done(): void
}

/** A holder's standing, as of one moment of store time. */
export interface HolderTerm {
  readonly now: number
  readonly ttlMs: number
  /** Risen since the last term = somebody took a slot; read again. */
  readonly epoch: number
  /** False when a sweep would find nothing to do; true when it would, or when looking costs as much as sweeping. */
  readonly sweep: boolean
}

/** What may be read. By holder and by run: as of now (linearizable). By repository: may be a moment old. */
export type Query =
  /**
   * These runs' rows, in any order, with their repositories. With `asOf: 'hints'` they need be no newer than the last hint that this driver
   * has given to those who watch, and the last commit that it has answered. A driver may read them as of now all the same.
   */
  | { readonly kind: 'runs'; readonly runs: readonly RunRef[]; readonly asOf?: 'hints' | undefined }
  /**
   * Rows in phase `waiting` or `running` that belong to a holder. With `only`, those that wait are not wanted: there may be very many. A
   * driver may give them all the same.
   */
  | { readonly kind: 'holder'; readonly holder: HolderId; readonly only?: 'running' | undefined }
  /**
   * One repository: its row, its slots up to `slots`, its first `waiting` entries in queue order (parked ones
   * included), and, with `run`, that run's row and its place.
   */
  | {
      readonly kind: 'repository'
      readonly repository: RepositoryKey
      readonly slots: number
      readonly waiting: number
      readonly run?: RunKey | undefined
    }
  /** Repositories by key, after `after`, up to `first`. */
  | { readonly kind: 'repositories'; readonly after: string; readonly first: number }

/** Names a run. */
export interface RunRef {
  readonly repository: RepositoryKey
  readonly run: RunKey
}

/** What was read, at one moment. */
export interface Snapshot {
  readonly now: number
  readonly wall: number
  readonly repositories: readonly RepositoryRow[]
  readonly runs: readonly RunRow[]
  /** The holders of `runs`. */
  readonly holders: readonly HolderRow[]
  /** Among entries not parked; counted up to 1,000, then `atLeast`. */
  readonly place: Place | undefined
}

/** What a sweep found: domains with overdue rows or a backlog, claimed for this caller for a few seconds so that others leave them. */
export interface Sweep {
  readonly domains: readonly string[]
  /** There may be more. */
  readonly more: boolean
}

/**
 * A hint that something changed. State is always read again, so a hint may come twice, late, or out of order, but none may be missing without a
 * `resync`. `overdue` is for stores that learn at once of a holder's end: a sweep would find something now, so none waits for a heartbeat. It
 * may be missing.
 */
export type WatchEvent =
  | { readonly kind: 'event'; readonly event: StoreEvent }
  | { readonly kind: 'resync' }
  | { readonly kind: 'overdue' }

/** What a watcher wants to hear, and until when. */
export interface WatchOptions {
  /** Asked at every event, so that a Manager may change its holder: events of these holders and repositories are wanted. */
  readonly wants: (event: StoreEvent) => boolean
  readonly signal: AbortSignal
}

/** How the store is, as its driver sees it. */
export interface Health {
  readonly ok: boolean
  /** For people: the store's version, what is wrong. Never a secret. */
  readonly detail: string
}

/**
 * What stands for a domain in a store that is this process's own memory. It may be kept, and asked for again when `section` has nothing
 * to give out for it.
 */
export type DomainInHand = object

/**
 * A store whose rows are this process's own: commands that need no decision are carried out on its sections at once, without a batch.
 * Which commands these are, and what they do, core knows; `decide` stays the truth, and the model test compares the two.
 */
export interface StoreInHand {
  /** What stands for the domain of this name; the same that `transact` works on. */
  domain(name: string): DomainInHand
  /**
   * The section of a domain, at this moment, for one step of the holder `by`. What is saved in it is committed at once; it is given
   * back by asking for the next one. `undefined` where a decision has more to do than a command says: rows are due or abandoned, a
   * backlog is left, somebody watches. A row that was dropped is in phase `record` to those who still have it.
   */
  section(domain: DomainInHand, by: HolderId | undefined): Section | undefined
}

/**
 * What a store must be able to do. A driver makes decisions atomic and has no policy of its own. It returns outcomes and throws
 * failures as SlotkeeperErrors; a failure never becomes `false` or an empty answer. Every method gives up when its signal aborts.
 */
export interface Driver {
  /** `etcd`, `postgresql`, `sqlite`, `memory`, or yours. */
  readonly name: string
  readonly manifest: Manifest

  /** Connects and makes or checks the store's schema. Called once, before anything else. */
  open(options: OpenOptions, signal?: AbortSignal): void | Promise<void>

  /**
   * Decides each domain's commands in one commit: loads a Section, calls `decide`, commits what it recorded, and on a conflict loads
   * and decides again. Each domain is atomic by itself; a failing one gets its `error` and does not hold up the others. Answers
   * `undefined` when all is decided already, as synchronous drivers (see the manifest) always do.
   *
   * A domain's guard must outlive its repository, or a decision that found neither must be sure that none came and went meanwhile: else
   * two could start from the same token floor. Rejects only when no domain was tried.
   */
  transact(batch: readonly DomainBatch[], decide: Decide, signal?: AbortSignal): void | Promise<void>

  /** Rows of one moment. What was asked for by run or by holder is as of now, unless the query wants less; listings may be a moment old. */
  read(query: Query, signal?: AbortSignal): Snapshot | Promise<Snapshot>

  /** Makes a new live holder. The id is never used twice. */
  openHolder(holder: HolderId, ttlMs: number, signal?: AbortSignal): HolderTerm | Promise<HolderTerm>
  /**
   * One cheap write that extends a holder which is neither dead nor overdue.
   * @throws HolderLostError when it is, and then for ever
   */
  heartbeat(holder: HolderId, signal?: AbortSignal): HolderTerm | Promise<HolderTerm>
  /** Marks a holder dead; its rows are settled by the next decision of their domains. Closing a dead or unknown one does nothing. */
  closeHolder(holder: HolderId, signal?: AbortSignal): void | Promise<void>

  /**
   * Claims some domains that need a decision although nobody asks: overdue rows, a backlog. Also does the store's housekeeping, a
   * bounded part at a time: forgets records past their `dueAt` and dead holders that no row names.
   */
  sweep(budget: number, signal?: AbortSignal): Sweep | Promise<Sweep>

  /** Hints, from the moment that the first `next()` settles on (it gives a `resync`). Ends when the signal aborts. */
  watch(options: WatchOptions): AsyncIterable<WatchEvent>

  /** Only of a synchronous driver that keeps its rows in this process: see `StoreInHand`. Without it everything goes through `transact`. */
  readonly inHand?: StoreInHand | undefined

  /** How the store is. A failure is thrown, or told with `ok: false`. */
  health(signal?: AbortSignal): Health | Promise<Health>

  /** Ends everything the driver started. Later calls throw. Closing twice does nothing. */
  close(): void | Promise<void>
}
