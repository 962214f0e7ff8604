import type {
  Guard,
  HolderId,
  HolderRow,
  RepositoryKey,
  RepositoryRow,
  RunKey,
  RunRow,
} from '@slotkeeper/core/driver'
import { committedAt, repositoryOf } from './repository-columns.ts'
import { type Cell, runOf } from './run-columns.ts'
import type { Statements } from './sql.ts'

/** More rows than this are forgotten all at once; they are read again when they are needed. */
const MOST_RUNS = 20_000
const MOST_REPOSITORIES = 5_000

/** What is known of a repository, all of it as it is in the file. Whoever wants to change a row takes a copy. */
interface KnownRepository {
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
  }

  /** To be called first in every write transaction. */
  refresh(): void {
    const version = this.#sql.dataVersion.get()
    if (
      version === this.#dataVersion &&
      this.#runs <= MOST_RUNS &&
      this.#repositories.size <= MOST_REPOSITORIES
    )
      return
    this.forget()
    this.#dataVersion = version
  }

  /** To be called when a transaction was rolled back, or rows changed otherwise than through here. */
  forget(): void {
    this.#repositories.clear()
    this.#guards.clear()
    this.#runs = 0
    this.forgetHolders()
    this.#floor = undefined
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
      known = {
        row: cells && repositoryOf(cells),
        committedAt: cells === undefined ? 0 : committedAt(cells),
        runs: new Map(),
        firstDue: undefined,
      }
      this.#repositories.set(key, known)
    }
    return known
  }

  firstDue(known: KnownRepository, key: RepositoryKey): number {
    known.firstDue ??= (this.#sql.firstDue.get(key) as number | null) ?? Number.POSITIVE_INFINITY
    return known.firstDue
  }

  /** A copy of the run's row, for a decision to change. */
  run(repository: RepositoryKey, run: RunKey): RunRow | undefined {
    const known = this.repository(repository).runs.get(run)
    if (known !== undefined) return { ...known }
    const cells = this.#sql.run.get(repository, run)
    return cells === undefined ? undefined : this.keep(cells)
  }

  /** Remembers a row that was just read, and gives out a copy for a decision to change. */
  keep(cells: readonly Cell[]): RunRow {
    const row = runOf(cells)
    this.setRun(row)
    return row
  }

  /** Takes note of a row as it is in the file now; the object itself stays the caller's. */
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

  dropRun(repository: RepositoryKey, run: RunKey): void {
    if (this.repository(repository).runs.delete(run)) this.#runs--
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
