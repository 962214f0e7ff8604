import {
  type Changes,
  type DomainBatch,
  type Guard,
  type HolderId,
  type HolderRow,
  type Manifest,
  mustNotify,
  type Phase,
  type Place,
  type RepositoryKey,
  type RepositoryRow,
  type RunKey,
  type RunRow,
  type Section,
  type StoreEvent,
  type StoreEventKind,
} from '@slotkeeper/core/driver'
import type { KnownRepository, Mirror } from './mirror.ts'
import { isPlain } from './recent.ts'
import { onlyCounted } from './repository-columns.ts'
import type { Store } from './store.ts'

const NONE: readonly never[] = Object.freeze([])
const NO_GUARD: Readonly<Guard> = Object.freeze({ watchedUntil: 0, backlog: false })

interface Quiet {
  readonly known: KnownRepository
  readonly row: RepositoryRow
  readonly run: RunKey
  readonly now: number
  readonly guard: Readonly<Guard>
}

/**
 * The section of a repository in which nobody waits and nothing is due, for one command about one run: by far the commonest. So there is
 * one row of a run, no page of rows, and no event that nobody hears. It is what `RecordedSection` would be, without the lists.
 */
export class QuietSection implements Section {
  readonly overdueLeft = false
  readonly overdueCut = false
  readonly headsCut = false
  readonly domain: RepositoryKey
  readonly now: number
  readonly wall: number
  readonly tokenFloor: number
  readonly by: HolderId | undefined
  readonly clockLagMs: number
  left: number
  guard: Readonly<Guard>
  readonly #mirror: Mirror
  readonly #known: KnownRepository
  readonly #named: RunKey
  #repositories: readonly RepositoryRow[]
  #repository: RepositoryRow | undefined
  #repositoryChanged = false
  #repositoryDropped = false
  /** The run's row, as it is decided; looked up when it is first asked for. */
  #run: RunRow | undefined
  #before: RunRow | undefined
  #looked = false
  #runChanged = false
  #runDropped = false
  #guardChanged = false
  #raisedFloor = 0
  #buried: readonly HolderId[] = NONE
  #bumped: readonly HolderId[] = NONE
  #events: readonly StoreEvent[] = NONE

  private constructor(store: Store, batch: DomainBatch, { budget, clockLagMs }: Manifest, quiet: Quiet) {
    const { row } = quiet
    this.domain = row.repository
    this.now = quiet.now
    this.wall = store.wall()
    this.tokenFloor = store.tokenFloor(this.wall)
    this.by = batch.by
    this.clockLagMs = clockLagMs
    this.left = budget
    this.guard = quiet.guard
    this.#mirror = store.mirror
    this.#known = quiet.known
    this.#named = quiet.run
    this.#repository = { ...row, numbers: row.numbers.slice() }
    this.#repositories = [this.#repository]
  }

  /** Made where it may be: for a command that takes or gives back a slot of a repository that is quiet. */
  static of(store: Store, batch: DomainBatch, manifest: Manifest): QuietSection | undefined {
    const [command, another] = batch.commands
    if (
      another !== undefined ||
      (command?.kind !== 'acquire' && command?.kind !== 'release') ||
      command.repository !== batch.domain
    )
      return undefined
    const { mirror } = store
    const known = mirror.repository(command.repository)
    const { row } = known
    if (row === undefined || row.status !== 'present' || row.waiting > 0) return undefined
    // Processes read the uptime a hair apart.
    const now = Math.max(store.now(), known.committedAt)
    if ((row.live > 0 && mirror.firstDue(known) <= now) || mirror.anyGone(now)) return undefined
    const guard = mirror.guard(row.domain) ?? NO_GUARD
    return guard.backlog
      ? undefined
      : new QuietSection(store, batch, manifest, { known, row, run: command.run, now, guard })
  }

  get repositories(): readonly RepositoryRow[] {
    return this.#repositories
  }

  repository(key: RepositoryKey): RepositoryRow | undefined {
    return key === this.domain ? this.#repository : undefined
  }

  run(_repository: RepositoryKey, run: RunKey): RunRow | undefined {
    if (run !== this.#named) return undefined
    if (!this.#looked) {
      this.#looked = true
      this.#before = this.#mirror.savedRun(this.#known, this.domain, run)
      this.#run = this.#before && { ...this.#before }
    }
    return this.#runDropped ? undefined : this.#run
  }

  holder(holder: HolderId): HolderRow | undefined {
    return this.#mirror.holder(holder)
  }

  overdue(): undefined {}

  head(): RunRow | undefined {
    const row = this.#run
    return row?.phase === 'waiting' && row.dueAt === undefined && !this.#runDropped ? row : undefined
  }

  /** Nobody else waits. */
  place(): Place {
    return 1
  }

  saved(row: RunRow, _was: Phase | undefined): void {
    this.left--
    this.#run = row
    this.#runChanged = true
    this.#runDropped = false
  }

  dropped(_row: RunRow, _was: Phase): void {
    this.left--
    this.#runChanged = true
    this.#runDropped = true
  }

  savedRepository(row: RepositoryRow): void {
    if (!this.#repositoryChanged) this.left--
    this.#repositoryChanged = true
    if (row === this.#repository) return
    this.#repository = row
    this.#repositories = [row]
  }

  droppedRepository(row: RepositoryRow): void {
    this.left--
    this.#repository = undefined
    this.#repositories = NONE
    this.#repositoryDropped = true
    this.#raisedFloor = row.lastToken
  }

  savedGuard(watchedUntil: number, backlog: boolean): void {
    this.left--
    this.guard = { watchedUntil, backlog }
    this.#guardChanged = true
  }

  bury(holder: HolderId): void {
    this.left--
    this.#buried = [...this.#buried, holder]
  }

  bump(holder: HolderId): void {
    this.left--
    this.#bumped = [...this.#bumped, holder]
  }

  emit(
    kind: StoreEventKind,
    row: RunRow | RepositoryRow,
    loser?: HolderId | undefined,
    detail?: StoreEvent['detail'],
  ): void {
    const holder = loser ?? ('run' in row ? row.holder : undefined)
    if (
      this.guard.watchedUntil <= this.now &&
      (holder === undefined || holder === this.by || kind === 'enqueued')
    )
      return
    const { repository } = row
    const of =
      'run' in row
        ? { run: row.run, ticket: row.ticket, phase: row.phase, token: row.token, number: row.number, holder }
        : undefined
    this.#events = [...this.#events, { kind, repository, ...of, at: this.wall, detail }]
  }

  /** The changed repository, if all that changed may go before the tables: it itself in its counts only, and a run that `isPlain`. */
  get ahead(): RepositoryRow | undefined {
    const { row } = this.#known
    const repository = this.#repository
    if (
      row === undefined ||
      repository === undefined ||
      !this.#repositoryChanged ||
      this.#runDropped ||
      this.#guardChanged ||
      this.#buried.length > 0 ||
      this.#bumped.length > 0 ||
      this.#events.length > 0 ||
      !onlyCounted(repository, row)
    )
      return undefined
    const changed = this.changedRun
    return changed === undefined ||
      (isPlain(changed) && (this.#before === undefined || isPlain(this.#before)))
      ? repository
      : undefined
  }

  get changedRun(): RunRow | undefined {
    return this.#runChanged ? this.#run : undefined
  }

  /** What has to be committed. */
  changes(): Changes {
    const row = this.changedRun
    const before = this.#before
    const runs = row === undefined ? NONE : [{ row, before }]
    const { domain } = this
    const repository = this.#repository
    const events = this.#events
    return {
      repositories: this.#repositoryChanged && repository !== undefined ? [repository] : NONE,
      droppedRepositories: this.#repositoryDropped && repository === undefined ? [domain] : NONE,
      tokenFloor: this.#raisedFloor,
      runs: this.#runDropped ? NONE : runs,
      droppedRuns: this.#runDropped && before !== undefined ? runs : NONE,
      guard: this.#guardChanged ? this.guard : undefined,
      buried: this.#buried,
      bumped: this.#bumped,
      alive: NONE,
      events,
      notify: mustNotify(this, events),
      empty:
        !this.#repositoryChanged &&
        !this.#repositoryDropped &&
        !this.#runChanged &&
        !this.#guardChanged &&
        this.#buried.length + this.#bumped.length === 0,
    }
  }
}
