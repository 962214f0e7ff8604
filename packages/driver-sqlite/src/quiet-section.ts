import type {
  DomainBatch,
  Guard,
  HolderId,
  HolderRow,
  Manifest,
  Place,
  RepositoryKey,
  RepositoryRow,
  RunKey,
  RunRow,
  Section,
  StoreEventKind,
} from '@slotkeeper/core/driver'
import type { KnownRepository } from './mirror.ts'
import { isPlain } from './recent.ts'
import { onlyCounted } from './repository-columns.ts'
import type { Store } from './store.ts'

const NO_GUARD: Readonly<Guard> = Object.freeze({ watchedUntil: 0, backlog: false })
const NO_ROWS: readonly RunRow[] = Object.freeze([])

/**
 * The section of a repository in which nobody waits, nothing is due and nobody watches, for one command that takes or gives back a slot: by
 * far the commonest. So there is one row of a run, no page of rows and no event. Whatever turns out to be more than that is decided
 * again, on a `RecordedSection`; what was done here are copies. One serves every decision after the other.
 */
export class QuietSection implements Section {
  readonly overdueLeft = false
  readonly overdueCut = false
  readonly headsCut = false
  readonly guard = NO_GUARD
  readonly clockLagMs: number
  domain = '' as RepositoryKey
  now = 0
  wall = 0
  tokenFloor = 0
  left = 0
  by: HolderId | undefined
  readonly #store: Store
  readonly #budget: number
  #known!: KnownRepository
  #named = '' as RunKey
  #repositories: readonly RepositoryRow[] = []
  #run: RunRow | undefined
  #before: RunRow | undefined
  #repositoryChanged = false
  #runChanged = false
  /** More was done than can be told here. */
  #isMore = false

  constructor(store: Store, { budget, clockLagMs }: Manifest) {
    this.#store = store
    this.#budget = budget
    this.clockLagMs = clockLagMs
  }

  /** Prepares for one decision. @returns false where it may not be */
  begin({ domain, by, commands }: DomainBatch): boolean {
    const [command] = commands
    if (
      commands.length !== 1 ||
      (command?.kind !== 'acquire' && command?.kind !== 'release') ||
      command.repository !== domain
    )
      return false
    const store = this.#store
    const { mirror } = store
    const known = mirror.repository(command.repository)
    const { row } = known
    if (row === undefined || row.status !== 'present' || row.waiting > 0) return false
    // Processes read the uptime a hair apart.
    const now = Math.max(store.now(), known.committedAt)
    if ((row.live > 0 && mirror.firstDue(known) <= now) || mirror.anyGone(now)) return false
    const { backlog, watchedUntil } = mirror.guard(domain) ?? NO_GUARD
    if (backlog || watchedUntil > now) return false

    this.domain = command.repository
    this.now = now
    this.wall = store.wall()
    this.tokenFloor = store.tokenFloor(this.wall)
    this.by = by
    this.left = this.#budget
    this.#known = known
    this.#named = command.run
    this.#repositories = [{ ...row, numbers: row.numbers.slice() }]
    this.#before = mirror.savedRun(known, command.repository, command.run)
    this.#run = this.#before && { ...this.#before }
    this.#repositoryChanged = this.#runChanged = this.#isMore = false
    return true
  }

  /**
   * Takes note of what was decided, ahead of the tables.
   * @returns false where that may not stay ahead of them, or is not all: then nothing was done
   */
  save(): boolean {
    const [repository] = this.#repositories
    const { row } = this.#known
    const run = this.#runChanged ? this.#run : undefined
    if (this.#isMore || repository === undefined || row === undefined) return false
    if (!this.#repositoryChanged) return run === undefined
    if (!onlyCounted(repository, row)) return false
    if (run !== undefined && !(isPlain(run) && (this.#before === undefined || isPlain(this.#before))))
      return false
    this.#store.mirror.saveAhead(repository, this.now, run === undefined ? NO_ROWS : [run])
    return true
  }

  get repositories(): readonly RepositoryRow[] {
    return this.#repositories
  }

  repository(key: RepositoryKey): RepositoryRow | undefined {
    return key === this.domain ? this.#repositories[0] : undefined
  }

  run(_repository: RepositoryKey, run: RunKey): RunRow | undefined {
    return run === this.#named ? this.#run : undefined
  }

  holder(holder: HolderId): HolderRow | undefined {
    return this.#store.mirror.holder(holder)
  }

  overdue(): undefined {}

  /** Nobody else waits. */
  head(): RunRow | undefined {
    const row = this.#run
    return row?.phase === 'waiting' && row.dueAt === undefined ? row : undefined
  }

  place(): Place {
    return 1
  }

  saved(row: RunRow): void {
    this.left--
    this.#run = row
    this.#runChanged = true
  }

  savedRepository(row: RepositoryRow): void {
    if (row !== this.#repositories[0]) this.#isMore = true
    this.#repositoryChanged = true
  }

  /** Nobody watches, but the holder of a row wants to hear what another one did to it. */
  emit(_kind: StoreEventKind, row: RunRow | RepositoryRow, loser?: HolderId | undefined): void {
    const holder = loser ?? ('run' in row ? row.holder : undefined)
    if (holder !== undefined && holder !== this.by) this.#isMore = true
  }

  dropped(): void {
    this.#isMore = true
  }

  droppedRepository(): void {
    this.#isMore = true
  }

  savedGuard(): void {
    this.#isMore = true
  }

  bury(): void {
    this.#isMore = true
  }

  bump(): void {
    this.#isMore = true
  }
}
