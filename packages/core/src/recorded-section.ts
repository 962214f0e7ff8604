import type { Place } from './commands.ts'
import { InternalError } from './errors.ts'
import { type Filed, type KeptRun, KeptRuns } from './kept-runs.ts'
import type { HolderId, RepositoryKey, RunKey } from './keys.ts'
import {
  type HolderRow,
  isAlive,
  type Phase,
  queueOrder,
  type RepositoryRow,
  type RunRow,
  type StoreEvent,
  type StoreEventKind,
} from './rows.ts'
import type { Guard, Section } from './section.ts'

/** What a store loads of one domain for a decision. Its rows belong to the section from then on. */
export interface Facts {
  readonly domain: string
  /** Store time, read when the guard was held (or with the revision that the commit will compare); at least that of the domain's last commit. */
  readonly now: number
  readonly wall: number
  readonly tokenFloor: number
  readonly guard: Guard
  readonly repositories: readonly RepositoryRow[]
  /** The named runs that exist. A row may stand in several lists; all copies are of the same moment. */
  readonly runs: readonly RunRow[]
  /** The named holders, and the holder of every row in any list. */
  readonly holders: readonly HolderRow[]
  /**
   * Rows overdue by `now`, up to the number asked for; of a repository in status `removing`, any of its rows. A dead holder may be
   * noticed a moment late; but a domain that `sweep` named shows its overdue rows.
   */
  readonly overdue: readonly RunRow[]
  /** The store may have more overdue rows. */
  readonly overdueCut: boolean
  /** Waiting rows that are not parked (`dueAt` undefined), in queue order, up to the number asked for. */
  readonly heads: readonly RunRow[]
  /** The store may have more such rows behind the last one. */
  readonly headsCut: boolean
}

/** A changed row; `before` is `undefined` for one that the store does not have. */
export interface RunChange {
  readonly row: RunRow
  readonly before: Filed | undefined
}

/** What a store commits: all of it or nothing, on the condition that the guard did not move and every `alive` holder is not dead. */
export interface Changes {
  readonly repositories: readonly RepositoryRow[]
  readonly droppedRepositories: readonly RepositoryKey[]
  /** The store-wide floor is at least this from now on; 0 = as it was. */
  readonly tokenFloor: number
  readonly runs: readonly RunChange[]
  readonly droppedRuns: readonly RunChange[]
  readonly guard: Guard | undefined
  /** Holders found overdue: marked dead, or the commit fails because they were not. */
  readonly buried: readonly HolderId[]
  /** Holders whose epoch rises by one. */
  readonly bumped: readonly HolderId[]
  /** Holders of changed rows: the commit fails when one is marked dead by then. */
  readonly alive: readonly HolderId[]
  readonly events: readonly StoreEvent[]
  /** Some other process wants to hear of the events. */
  readonly notify: boolean
  /** Nothing changed: a store whose facts may have been stale still verifies the guard. */
  readonly empty: boolean
}

const NONE: readonly never[] = Object.freeze([])

/** The section of every store that loads facts and commits changes. Memory has its own, which is its maps. */
export class RecordedSection implements Section {
  readonly domain: string
  readonly now: number
  readonly wall: number
  readonly by: HolderId | undefined
  readonly clockLagMs: number
  readonly overdueCut: boolean
  readonly headsCut: boolean
  tokenFloor: number
  guard: Guard
  readonly #budget: number
  /** Few of each at most, so they are looked through. Replaced rather than changed: whoever goes through one sees what it began with. */
  #repositories: readonly RepositoryRow[]
  readonly #changedRepositories: RepositoryRow[] = []
  #droppedRepositories: readonly RepositoryKey[] = NONE
  #buried: readonly HolderId[] = NONE
  #bumped: readonly HolderId[] = NONE
  readonly #runs = new KeptRuns()
  readonly #holders: readonly HolderRow[]
  readonly #overdue: readonly RunRow[]
  readonly #events: StoreEvent[] = []
  /** Entries in queue order: the loaded page, and what was enqueued here. */
  #queue: RunRow[]
  /** Where the loaded page ends, when the store may have more behind it. */
  readonly #edge: { readonly priority: number; readonly sequence: number } | undefined
  #overdueAt = 0
  #changedRuns = 0
  #guardChanged = false
  #raisedFloor = 0

  constructor(
    facts: Facts,
    options: { readonly budget: number; readonly by: HolderId | undefined; readonly clockLagMs?: number },
  ) {
    this.domain = facts.domain
    this.now = facts.now
    this.wall = facts.wall
    this.tokenFloor = facts.tokenFloor
    this.guard = facts.guard
    this.by = options.by
    this.clockLagMs = options.clockLagMs ?? 0
    this.#budget = options.budget
    this.overdueCut = facts.overdueCut
    this.headsCut = facts.headsCut
    for (const row of facts.repositories)
      if (row.domain !== facts.domain)
        throw new InternalError(
          `Repository ${row.repository} belongs to domain ${row.domain}, not ${facts.domain}.`,
        )
    this.#repositories = facts.repositories
    this.#holders = facts.holders
    for (const row of facts.runs) this.#keep(row)
    this.#overdue = facts.overdue.length === 0 ? NONE : facts.overdue.map((row) => this.#keep(row).row)
    this.#queue = facts.heads.map((row) => this.#keep(row).row)
    const last = facts.headsCut ? this.#queue.at(-1) : undefined
    // A copy: the row itself may begin another attempt here and move.
    this.#edge = last === undefined ? undefined : { priority: last.priority, sequence: last.sequence }
  }

  get repositories(): readonly RepositoryRow[] {
    return this.#repositories
  }

  get left(): number {
    const repositories = this.#changedRepositories.length + this.#droppedRepositories.length
    return (
      this.#budget -
      this.#changedRuns -
      repositories -
      this.#buried.length -
      this.#bumped.length -
      (this.#guardChanged ? 1 : 0)
    )
  }

  /** The row of a repository of this domain, where it has one. */
  repository(key: RepositoryKey): RepositoryRow | undefined {
    return this.#repositories.find((row) => row.repository === key)
  }

  run(repository: RepositoryKey, run: RunKey): RunRow | undefined {
    const kept = this.#runs.find(repository, run)
    return kept === undefined || kept.dropped ? undefined : kept.row
  }

  holder(holder: HolderId): HolderRow | undefined {
    return this.#holders.find((row) => row.holder === holder)
  }

  get overdueLeft(): boolean {
    return this.#overdueAt < this.#overdue.length
  }

  overdue(): RunRow | undefined {
    while (this.#overdueAt < this.#overdue.length) {
      const row = this.#overdue[this.#overdueAt++] as RunRow
      if (this.run(row.repository, row.run) === row) return row
    }
    return undefined
  }

  head(repository: RepositoryKey): RunRow | undefined {
    for (const row of this.#queue) {
      // Behind the last loaded entry there may be others in the store that go before this one.
      if (this.#isBeyondEdge(row)) return undefined
      if (row.repository === repository) return row
    }
    return undefined
  }

  place(row: RunRow): Place {
    let before = 0
    for (const other of this.#queue) {
      if (other.repository !== row.repository || other === row) continue
      if (queueOrder(other, row) > 0) break
      before++
    }
    return this.#isBeyondEdge(row) ? { atLeast: before + 1 } : before + 1
  }

  saved(row: RunRow, _was: Phase | undefined): void {
    const kept = this.#keep(row, true)
    if (!kept.changed) this.#changedRuns++
    kept.changed = true
    kept.dropped = false
    // A run that was dropped and begun anew here is another object.
    kept.row = row
    this.#requeue(row)
  }

  dropped(row: RunRow, _was: Phase): void {
    const kept = this.#keep(row)
    if (!kept.changed) this.#changedRuns++
    kept.changed = true
    kept.dropped = true
    this.#queue = this.#queue.filter((other) => other !== row)
  }

  /** Records that the row of a repository is new or has changed. */
  savedRepository(row: RepositoryRow): void {
    if (!this.#repositories.includes(row))
      this.#repositories = [...this.#repositories.filter((known) => known.repository !== row.repository), row]
    if (!this.#changedRepositories.includes(row)) this.#changedRepositories.push(row)
  }

  droppedRepository(row: RepositoryRow): void {
    this.#repositories = this.#repositories.filter((known) => known.repository !== row.repository)
    const changed = this.#changedRepositories.indexOf(row)
    if (changed >= 0) this.#changedRepositories.splice(changed, 1)
    this.#droppedRepositories = [...this.#droppedRepositories, row.repository]
    this.tokenFloor = Math.max(this.tokenFloor, row.lastToken)
    this.#raisedFloor = Math.max(this.#raisedFloor, row.lastToken)
  }

  /** Records the guard as it shall be. */
  savedGuard(watchedUntil: number, backlog: boolean): void {
    this.guard = { watchedUntil, backlog }
    this.#guardChanged = true
  }

  bury(holder: HolderId): void {
    if (!this.#buried.includes(holder)) this.#buried = [...this.#buried, holder]
  }

  bump(holder: HolderId): void {
    if (!this.#bumped.includes(holder) && isAlive(this.holder(holder), this.now))
      this.#bumped = [...this.#bumped, holder]
  }

  emit(
    kind: StoreEventKind,
    row: RunRow | RepositoryRow,
    holder?: HolderId | undefined,
    detail?: StoreEvent['detail'],
  ): void {
    const { repository } = row
    if (!('run' in row)) this.#events.push({ kind, repository, at: this.wall, detail })
    else {
      const { run, ticket, phase, token, number } = row
      this.#events.push({
        kind,
        repository,
        run,
        ticket,
        phase,
        token,
        number,
        holder: holder ?? row.holder,
        at: this.wall,
        detail,
      })
    }
  }

  /** What the store has to commit. */
  changes(): Changes {
    const runs: RunChange[] = []
    const droppedRuns: RunChange[] = []
    const alive: HolderId[] = []
    for (const { row, before, changed, dropped } of this.#runs.all) {
      if (!changed) continue
      if (dropped) {
        if (before !== undefined) droppedRuns.push({ row, before })
        continue
      }
      runs.push({ row, before })
      const { holder } = row
      if (holder !== undefined && !alive.includes(holder) && isAlive(this.holder(holder), this.now))
        alive.push(holder)
    }
    const events = this.#events
    return {
      repositories: this.#changedRepositories,
      droppedRepositories:
        this.#droppedRepositories.length === 0
          ? NONE
          : this.#droppedRepositories.filter((key) => this.repository(key) === undefined),
      tokenFloor: this.#raisedFloor,
      runs,
      droppedRuns,
      guard: this.#guardChanged ? this.guard : undefined,
      buried: this.#buried,
      bumped: this.#bumped,
      alive,
      events,
      notify: mustNotify(this, events),
      empty: this.left === this.#budget,
    }
  }

  #isBeyondEdge(row: RunRow): boolean {
    return this.#edge !== undefined && queueOrder(row, this.#edge) > 0
  }

  #keep(row: RunRow, isNew = false): KeptRun {
    return this.#runs.keep(row, isNew)
  }

  /** Keeps the page of the queue in step with a changed row. */
  #requeue(row: RunRow): void {
    const at = this.#queue.indexOf(row)
    const eligible = row.phase === 'waiting' && row.dueAt === undefined
    if (at >= 0) {
      if (eligible) return
      this.#queue.splice(at, 1)
    } else if (eligible) {
      let to = this.#queue.length
      while (to > 0 && queueOrder(this.#queue[to - 1] as RunRow, row) > 0) to--
      this.#queue.splice(to, 0, row)
    }
  }
}

/** Whether a process other than the one that commits wants to hear of any of the events. */
export function mustNotify(
  section: Pick<Section, 'by' | 'now' | 'guard'>,
  events: readonly StoreEvent[],
): boolean {
  return events.some((event) => isForOthers(section, event))
}

/** Whether a process other than the one that commits wants to hear of the event: a watcher, or a holder that gained or lost a row. */
export function isForOthers(
  { by, now, guard }: Pick<Section, 'by' | 'now' | 'guard'>,
  { kind, holder }: StoreEvent,
): boolean {
  return guard.watchedUntil > now || (holder !== undefined && holder !== by && kind !== 'enqueued')
}
