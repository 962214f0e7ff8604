import type { RepositoryKey, RunKey, RunRow } from '@slotkeeper/core/driver'
import type { Counts } from './repository-columns.ts'
import { type Cell, type Packed, packed, rowOf, runCells } from './run-columns.ts'
import { RUNS_AT_ONCE, type Statements } from './sql.ts'

/** After so many rows of runs, or so many commits, all is settled; it takes some milliseconds. */
const MOST_RUNS = 2048
const MOST_COMMITS = 4096
/** Counts of so many repositories stay ahead even then: they change with every commit, and are written together here. */
const MOST_COUNTS = 4096

/** What a commit tells, in order: a repository's counts and runs as they are now; or, alone, a repository that was settled. */
type Told =
  | readonly [key: RepositoryKey, committedAt: number, counts: Counts, ...runs: Packed[]]
  | readonly [key: RepositoryKey]

/** Where the runs of a `Told` begin. */
const FIRST_RUN = 3

/**
 * Whether nobody looks for the row but by its own key: a record, or a running slot without a due time. (Rows of a holder that is gone are
 * looked for after settling.)
 */
export function isPlain({ phase, dueAt }: Pick<RunRow, 'phase' | 'dueAt'>): boolean {
  return phase === 'record' || (phase === 'running' && dueAt === undefined)
}

/** What came before the tables in one repository. Nobody changes its rows. */
interface Ahead {
  readonly runs: Map<RunKey, RunRow>
  counts: Counts
  committedAt: number
}

/**
 * What the newest commits changed and the tables do not have yet: the newest word on each of its rows.
 *
 * A slot taken and given back changes pages all over the tables: of the run, of its record, of its repository, of the indexes. Here each
 * commit, whatever it changes, appends one row to the table `recent`; every process remembers what those rows say, a bounded number of
 * them, and reads the new ones after somebody else has committed. Later they are settled into the tables together, and of a run that
 * came and went only its record.
 *
 * Only rows that no question but one by their own key must find may be here: see `mayStayAhead` in apply-changes.ts. All others are in the
 * tables as soon as they are committed; before one of those is written, its repository is settled.
 */
export class Recent {
  readonly #sql: Statements
  readonly #ahead = new Map<RepositoryKey, Ahead>()
  /** Told in the transaction under way. */
  #told: Told[] = []
  /** Rows of runs told since all was settled. */
  #runs = 0
  #firstDue = Number.POSITIVE_INFINITY
  /** The last row of the table that is remembered here, and the last that was settled; `undefined` = nothing is known. */
  #newest = 0
  #settled: number | undefined

  constructor(sql: Statements) {
    this.#sql = sql
  }

  /** No record here may be forgotten sooner. */
  get firstDue(): number {
    return this.#firstDue
  }

  /** Learns what others have committed. */
  refresh(): void {
    const settled = this.#sql.settled.get() as number
    if (settled !== this.#settled) {
      this.#clear()
      this.#newest = settled
    }
    for (const [id, changes] of this.#sql.recentAfter.all(this.#newest)) {
      for (const told of JSON.parse(changes as string) as Told[]) this.#learn(told)
      this.#newest = id as number
    }
    this.#settled = settled
  }

  /** To be called when a transaction was rolled back. */
  forget(): void {
    this.#settled = undefined
    this.#told = []
    this.#clear()
  }

  has(key: RepositoryKey): boolean {
    return this.#ahead.has(key)
  }

  counts(key: RepositoryKey): Counts | undefined {
    return this.#ahead.get(key)?.counts
  }

  committedAt(key: RepositoryKey): number {
    return this.#ahead.get(key)?.committedAt ?? 0
  }

  /** The run's row, if it is here. Whoever wants to change it takes a copy. */
  run(key: RepositoryKey, run: RunKey): RunRow | undefined {
    return this.#ahead.get(key)?.runs.get(run)
  }

  /** Copies of the runs of one repository, or of all. */
  *runs(of?: RepositoryKey): Iterable<RunRow> {
    for (const [key, { runs }] of this.#ahead)
      if (of === undefined || of === key) for (const row of runs.values()) yield { ...row }
  }

  /** Takes note of a repository's counts, the time of the commit and the changed rows of runs, which nobody changes from now on. */
  save(key: RepositoryKey, committedAt: number, counts: Counts, rows: readonly RunRow[]): void {
    this.#told.push([key, committedAt, counts, ...rows.map(packed)])
    const ahead = this.#aheadOf(key, committedAt, counts)
    for (const row of rows) this.#learnRun(ahead, row)
  }

  /** Writes what is here of a repository into the tables. */
  settle(key: RepositoryKey, id: number): void {
    const ahead = this.#ahead.get(key)
    if (ahead === undefined) return
    this.#writeRuns(cellsOf(ahead, id))
    this.#writeCounts(ahead, id)
    this.#told.push([key])
    this.#ahead.delete(key)
  }

  /** Appends what the transaction told; to be called last in it. `idOf` finds a repository's id, should it be time to settle all. */
  commit(now: number, idOf: (key: RepositoryKey) => number): void {
    if (this.#told.length === 0) return
    if (this.#runs > MOST_RUNS || this.#newest - (this.#settled as number) > MOST_COMMITS)
      this.#settleAll(idOf, MOST_COUNTS)
    if (this.#told.length > 0) this.#append(now)
  }

  /** Writes all of it into the tables. */
  settleAll(idOf: (key: RepositoryKey) => number): void {
    if (this.#ahead.size > 0) this.#settleAll(idOf, 0)
  }

  #settleAll(idOf: (key: RepositoryKey) => number, mostCounts: number): void {
    const kept: Told[] = []
    const cells: Cell[][] = []
    const keeps = this.#ahead.size <= mostCounts
    for (const [key, ahead] of this.#ahead) {
      cells.push(...cellsOf(ahead, idOf(key)))
      if (keeps) kept.push([key, ahead.committedAt, ahead.counts])
      else this.#writeCounts(ahead, idOf(key))
    }
    this.#writeRuns(cells)
    this.#sql.dropRecent.run()
    this.#sql.noteSettled.run(this.#newest)
    this.#settled = this.#newest
    this.#clear()
    this.#told = kept
    for (const told of kept) this.#learn(told)
  }

  #append(now: number): void {
    this.#sql.addRecent.run(++this.#newest, now, JSON.stringify(this.#told))
    this.#told = []
  }

  #writeCounts({ counts, committedAt }: Ahead, id: number): void {
    this.#sql.saveCounts.run(JSON.stringify(counts), committedAt, id)
  }

  /** Neighbours in the table go together, which is less work. */
  #writeRuns(cells: Cell[][]): void {
    const { saveRun, saveRuns } = this.#sql
    cells.sort(byRun)
    let at = 0
    for (; at + RUNS_AT_ONCE <= cells.length; at += RUNS_AT_ONCE)
      saveRuns.run(cells.slice(at, at + RUNS_AT_ONCE).flat())
    for (; at < cells.length; at++) saveRun.run(cells[at])
  }

  #learn(told: Told): void {
    const [key, committedAt, counts] = told
    if (committedAt === undefined || counts === undefined) {
      this.#ahead.delete(key)
      return
    }
    const ahead = this.#aheadOf(key, committedAt, counts)
    for (let at = FIRST_RUN; at < told.length; at++) this.#learnRun(ahead, rowOf(key, told[at] as Packed))
  }

  #aheadOf(key: RepositoryKey, committedAt: number, counts: Counts): Ahead {
    let ahead = this.#ahead.get(key)
    if (ahead === undefined) {
      ahead = { runs: new Map(), counts, committedAt }
      this.#ahead.set(key, ahead)
    } else {
      ahead.counts = counts
      ahead.committedAt = committedAt
    }
    return ahead
  }

  #learnRun({ runs }: Ahead, row: RunRow): void {
    const { run, phase, dueAt } = row
    this.#runs++
    runs.set(run, row)
    if (phase === 'record' && dueAt !== undefined && dueAt < this.#firstDue) this.#firstDue = dueAt
  }

  #clear(): void {
    this.#ahead.clear()
    this.#runs = 0
    this.#firstDue = Number.POSITIVE_INFINITY
  }
}

function cellsOf({ runs }: Ahead, id: number): Cell[][] {
  return Array.from(runs.values(), (row) => runCells(id, row))
}

/** As the table is filed: by run, then by the repository's id. */
function byRun([run, repository]: readonly Cell[], [otherRun, otherRepository]: readonly Cell[]): number {
  if (run === otherRun) return (repository as number) - (otherRepository as number)
  return (run as string) < (otherRun as string) ? -1 : 1
}
