import {
  type Guard,
  type HolderId,
  type HolderRow,
  InternalError,
  type RepositoryKey,
  type RepositoryRow,
  type RunKey,
  type RunRow,
} from '@slotkeeper/core/driver'
import { Recent } from './recent.ts'
import { committedAt, repositoryOf } from './repository-columns.ts'
import { type Cell, runOf } from './run-columns.ts'
import type { Statements } from './sql.ts'

/** More rows than this are forgotten all at once; they are read again when they are needed. */
const MOST_RUNS = 20_000
const MOST_REPOSITORIES = 5_000

/** What is known of a repository, all of it as it is in the file. Whoever wants to change a row takes a copy. */
export interface KnownRepository {
  /** What its runs are filed under; `undefined` where it has no row. */
  id: number | undefined
  row: RepositoryRow | undefined
  /** Store time of the last commit that changed the row. */
  committedAt: number
  /** Rows that wait or hold, of those that were needed. */
  readonly runs: Map<RunKey, RunRow>
  /** Nothing must happen to a row of it sooner; `undefined` = not looked at yet. */
  firstDue: number | undefined
}

/**
 * Rows of the file, remembered from one transaction to the next: most of what a decision reads is what the one before it wrote.
 *
 * SQLite tells by `data_version`, the very number that guards its own page cache, whether another connection has committed since;
 * then everything here is forgotten. It is asked inside the write transaction, so nobody can commit in between.
 */
export class Mirror {
  /** What the tables do not have yet; it comes before everything else here. */
  readonly recent: Recent
  readonly #sql: Statements
  readonly #repositories = new Map<RepositoryKey, KnownRepository>()
  readonly #guards = new Map<string, Guard | undefined>()
  readonly #holders = new Map<HolderId, HolderRow | undefined>()
  #runs = 0
  #dataVersion: Cell | undefined
  #floor: number | undefined
  /** The time of the first holder's end, in the past when one is dead. */
  #firstGone: number | undefined

  constructor(sql: Statements) {
    this.#sql = sql
    this.recent = new Recent(sql)
  }

  /** To be called first in every transaction. */
  refresh(): void {
    const version = this.#sql.dataVersion.get()
    if (version !== this.#dataVersion) {
      this.#forgetRows()
      this.recent.refresh()
      this.#dataVersion = version
    } else if (this.#runs > MOST_RUNS || this.#repositories.size > MOST_REPOSITORIES) this.#forgetRows()
  }

  /** To be called when a transaction was rolled back. */
  forget(): void {
    this.#forgetRows()
    this.recent.forget()
    this.#dataVersion = undefined
  }

  forgetHolders(): void {
    this.#holders.clear()
    this.#firstGone = undefined
  }

  get tokenFloor(): number {
    this.#floor ??= this.#sql.tokenFloor.get() as number
    return this.#floor
  }

  set tokenFloor(floor: number) {
    this.#floor = floor
  }

  guard(domain: string): Guard | undefined {
    let guard = this.#guards.get(domain)
    if (guard === undefined && !this.#guards.has(domain)) {
      const cells = this.#sql.guard.get(domain)
      guard = cells === undefined ? undefined : { watchedUntil: cells[0] as number, backlog: cells[1] === 1 }
      this.#guards.set(domain, guard)
    }
    return guard
  }

  setGuard(domain: string, guard: Guard | undefined): void {
    this.#guards.set(domain, guard)
  }

  forgetGuard(domain: string): void {
    this.#guards.delete(domain)
  }

  holder(id: HolderId): HolderRow | undefined {
    let holder = this.#holders.get(id)
    if (holder === undefined && !this.#holders.has(id)) {
      const cells = this.#sql.holder.get(id)
      holder = cells === undefined ? undefined : holderOf(cells)
      this.#holders.set(id, holder)
    }
    return holder
  }

  /** Whether some holder is dead or overdue, so that its rows may be anywhere. */
  anyGone(now: number): boolean {
    if (this.#firstGone === undefined)
      this.#firstGone =
        this.#sql.anyDead.get() === 1
          ? 0
          : ((this.#sql.firstExpiry.get() as number | null) ?? Number.POSITIVE_INFINITY)
    return this.#firstGone <= now
  }

  repository(key: RepositoryKey): KnownRepository {
    let known = this.#repositories.get(key)
    if (known === undefined) {
      const cells = this.#sql.repository.get(key)
      const id = cells?.[0] as number | undefined
      const { recent } = this
      known = {
        id,
        row: id === undefined || cells === undefined ? undefined : repositoryOf(cells, recent.counters(id)),
        committedAt:
          id === undefined || cells === undefined ? 0 : Math.max(committedAt(cells), recent.committedAt(id)),
        runs: new Map(),
        firstDue: undefined,
      }
      this.#repositories.set(key, known)
    }
    return known
  }

  firstDue(known: KnownRepository): number {
    if (known.id === undefined) return Number.POSITIVE_INFINITY
    known.firstDue ??= (this.#sql.firstDue.get(known.id) as number | null) ?? Number.POSITIVE_INFINITY
    return known.firstDue
  }

  /** A copy of the run's row, for a decision to change. */
  run(repository: RepositoryKey, run: RunKey): RunRow | undefined {
    const row = this.savedRun(this.repository(repository), repository, run)
    return row && { ...row }
  }

  /** The run's row as it is saved, which nobody changes. */
  savedRun(known: KnownRepository, repository: RepositoryKey, run: RunKey): RunRow | undefined {
    const row = this.recent.run(repository, run) ?? known.runs.get(run)
    if (row !== undefined || known.id === undefined) return row
    const cells = this.#sql.run.get(run, known.id)
    return cells && this.keep(repository, cells)
  }

  /** Remembers a row that was just read from its table, and gives out a copy for a decision to change. */
  keep(repository: RepositoryKey, cells: readonly Cell[]): RunRow {
    const row = runOf(repository, cells)
    this.setRun(row)
    return row
  }

  /** The repository's id; it has a row. */
  idOf(key: RepositoryKey): number {
    const { id } = this.repository(key)
    if (id === undefined) throw new InternalError(`Rows of ${key} were changed, and it has none itself.`)
    return id
  }

  /** Brings the tables up to date in one repository. */
  settle(key: RepositoryKey): void {
    const { id } = this.repository(key)
    if (id !== undefined) this.recent.settle(id)
  }

  /** Takes note of a row as it is in its table now; the object itself stays the caller's. */
  setRun(row: RunRow): void {
    const known = this.repository(row.repository)
    if (row.phase === 'record') {
      if (known.runs.delete(row.run)) this.#runs--
      return
    }
    if (row.dueAt !== undefined && known.firstDue !== undefined && row.dueAt < known.firstDue)
      known.firstDue = row.dueAt
    if (!known.runs.has(row.run)) this.#runs++
    known.runs.set(row.run, { ...row })
  }

  /** Takes note of what goes before the tables: a repository's counts and rows of its runs, which nobody changes from now on. */
  saveAhead(row: RepositoryRow, now: number, runs: readonly RunRow[]): void {
    const known = this.repository(row.repository)
    if (known.runs.size > 0) for (const { run } of runs) if (known.runs.delete(run)) this.#runs--
    this.recent.save(this.idOf(row.repository), now, row, runs)
    known.row = row
    known.committedAt = now
  }

  dropRun(repository: RepositoryKey, run: RunKey): void {
    if (this.repository(repository).runs.delete(run)) this.#runs--
  }

  #forgetRows(): void {
    this.#repositories.clear()
    this.#guards.clear()
    this.#runs = 0
    this.forgetHolders()
    this.#floor = undefined
  }
}

/** A row of `holder`: holder, expires_at, dead, epoch. */
export function holderOf(cells: readonly Cell[]): HolderRow {
  return {
    holder: cells[0] as HolderId,
    expiresAt: cells[1] as number,
    dead: cells[2] === 1,
    epoch: cells[3] as number,
  }
}
