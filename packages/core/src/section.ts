import type { Command, Place } from './commands.ts'
import type { HolderId, RepositoryKey, RunKey } from './keys.ts'
import type { HolderRow, Phase, RepositoryRow, RunRow, StoreEvent, StoreEventKind } from './rows.ts'

/** One small row per domain. Every commit of the domain compares or locks it. */
export interface Guard {
  /** Store time until which some process wants to hear of every event; 0, or a time that is over, for none. */
  watchedUntil: number
  /** There is more to do than the last commit could hold. */
  backlog: boolean
}

/**
 * A window on one domain, and a workspace: `decide` changes the rows that it reads here, says so with `saved…`, and later commands
 * of the batch see what earlier ones did. What was saved is what the store must commit, all of it or nothing.
 */
export interface Section {
  readonly domain: string
  /** Store time, the same for the whole decision. */
  readonly now: number
  /** How far store time may lag behind real time in one process more than in another; added to every due time. */
  readonly clockLagMs: number
  /** Wall time. */
  readonly wall: number
  /** Every new token is above this: the store-wide removal floor, and a clock or revision that outlives a restored backup. */
  readonly tokenFloor: number
  /** The holder of the Manager that asks; its own rows need no notification. */
  readonly by: HolderId | undefined
  /** How many more rows this commit may change. */
  readonly left: number
  readonly guard: Readonly<Guard>

  /** The repositories of this domain that have a row. */
  readonly repositories: readonly RepositoryRow[]
  /** The row of a repository of this domain, where it has one. */
  repository(key: RepositoryKey): RepositoryRow | undefined
  /** A run that a command names, or that a method below gave out. */
  run(repository: RepositoryKey, run: RunKey): RunRow | undefined
  /** A holder that a command or a given-out row names; `undefined` = never opened, or forgotten since: dead. */
  holder(holder: HolderId): HolderRow | undefined
  /**
   * The next row that is overdue, or, of a repository in status `removing`, any row that waits or holds; its records too, unless the store
   * can leave them behind where nobody finds them again. A row is given out once; `undefined` when none is left in this window.
   */
  overdue(): RunRow | undefined
  /** The first entry of the queue that is not parked, what was saved here included; `undefined` when none is left in this window. */
  head(repository: RepositoryKey): RunRow | undefined
  /** True while this window has an overdue row that was not given out. */
  readonly overdueLeft: boolean
  /** True when the store has, or may have, overdue rows that this window did not show. */
  readonly overdueCut: boolean
  /** True when the store has, or may have, entries that this window did not show. */
  readonly headsCut: boolean
  /** Where a waiting row is among those not parked, by what this window shows. */
  place(row: RunRow): Place

  /** A new row, or a changed one that had phase `was`. */
  saved(row: RunRow, was: Phase | undefined): void
  /** Forgets a row that had phase `was`. */
  dropped(row: RunRow, was: Phase): void
  /** Records that the row of a repository is new or has changed. */
  savedRepository(row: RepositoryRow): void
  /** Deletes the repository's row; in the same commit the store-wide floor rises to its last token. */
  droppedRepository(row: RepositoryRow): void
  /** Records the guard as it shall be. */
  savedGuard(watchedUntil: number, backlog: boolean): void
  /** Marks a holder dead that is overdue. The commit fails if it turns out not to be overdue. */
  bury(holder: HolderId): void
  /** Raises the epoch of a holder that loses a slot. */
  bump(holder: HolderId): void
  /** Tells watchers. `row` is a run or a repository. */
  emit(
    kind: StoreEventKind,
    row: RunRow | RepositoryRow,
    holder?: HolderId | undefined,
    detail?: StoreEvent['detail'],
  ): void
}

/** What became of a batch besides its commands' outcomes. */
export interface Decision {
  /** How many of the commands, from the first, were decided. The others found no room in this commit and have no outcome; they are asked again. */
  readonly decided: number
  /** There is more to do at once than this commit could hold. */
  readonly more: boolean
  /** Entries that got their slot in this commit, in order. */
  readonly granted: readonly RunRow[]
}

/** The policy: pure, synchronous, and written once. Writes the commands' outcomes; asked again after a conflict, it overwrites them. */
export type Decide = (section: Section, commands: readonly Command[]) => Decision
