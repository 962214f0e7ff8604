import type { RepositoryKey, RunKey, RunRow } from '@slotkeeper/core/driver'
import type { Counts } from './repository-columns.ts'
import { type Packed, packed, rowOf, runCells } from './run-columns.ts'
import type { Statements } from './sql.ts'

/** So many words are settled at once, four of them for a slot taken and given back; it takes some milliseconds. */
const MOST_TOLD = 4096

/** What a commit tells, in order: a run as it is now; a repository's counts and when; or, alone, a repository that was settled. */
type Told =
  | readonly [key: RepositoryKey, run: Packed]
  | readonly [key: RepositoryKey, counts: Counts, committedAt: number]
  | readonly [key: RepositoryKey]

/** What came before the tables in one repository. */
interface Ahead {
  readonly runs: Map<RunKey, Packed>
  counts: Counts | undefined
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
  /** Since it was settled. */
  #heard = 0
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

  get isEmpty(): boolean {
    return this.#ahead.size === 0
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

  /** The run's row, if it is here. */
  run(key: RepositoryKey, run: RunKey): RunRow | undefined {
    const list = this.#ahead.get(key)?.runs.get(run)
    return list && rowOf(key, list)
  }

  /** The runs of one repository, or of all. */
  *runs(of?: RepositoryKey): Iterable<RunRow> {
    for (const [key, { runs }] of this.#ahead)
      if (of === undefined || of === key) for (const list of runs.values()) yield rowOf(key, list)
  }

  saveRun(row: RunRow): void {
    this.#tell([row.repository, packed(row)])
  }

  saveCounts(key: RepositoryKey, counts: Counts, committedAt: number): void {
    this.#tell([key, counts, committedAt])
  }

  /** Writes what is here of a repository into the tables. */
  settle(key: RepositoryKey, id: number): void {
    const ahead = this.#ahead.get(key)
    if (ahead === undefined) return
    this.#write(ahead, id)
    this.#tell([key])
  }

  /** Appends what the transaction told; to be called last in it. `idOf` finds a repository's id, should it be time to settle them all. */
  commit(now: number, idOf: (key: RepositoryKey) => number): void {
    if (this.#told.length === 0) return
    if (this.#heard > MOST_TOLD) return this.settleAll(idOf)
    this.#sql.addRecent.run(++this.#newest, now, JSON.stringify(this.#told))
    this.#told = []
  }

  /** Writes all of it into the tables. */
  settleAll(idOf: (key: RepositoryKey) => number): void {
    if (this.#ahead.size === 0 && this.#told.length === 0) return
    for (const [key, ahead] of this.#ahead) this.#write(ahead, idOf(key))
    this.#sql.dropRecent.run()
    this.#sql.noteSettled.run(this.#newest)
    this.#settled = this.#newest
    this.#told = []
    this.#clear()
  }

  #write({ runs, counts, committedAt }: Ahead, id: number): void {
    for (const list of runs.values()) this.#sql.saveRun.run(runCells(id, list))
    if (counts !== undefined) this.#sql.saveCounts.run(JSON.stringify(counts), committedAt, id)
  }

  #tell(told: Told): void {
    this.#told.push(told)
    this.#learn(told)
  }

  #learn(told: Told): void {
    this.#heard++
    const [key, what] = told
    let ahead = this.#ahead.get(key)
    if (what === undefined) {
      this.#ahead.delete(key)
      return
    }
    if (ahead === undefined) {
      ahead = { runs: new Map(), counts: undefined, committedAt: 0 }
      this.#ahead.set(key, ahead)
    }
    if (told.length === 3) {
      ahead.counts = told[1]
      ahead.committedAt = told[2]
      return
    }
    const [run, phase, , , , dueAt] = what as Packed
    ahead.runs.set(run as RunKey, what)
    if (phase === 'record' && typeof dueAt === 'number' && dueAt < this.#firstDue) this.#firstDue = dueAt
  }

  #clear(): void {
    this.#ahead.clear()
    this.#heard = 0
    this.#firstDue = Number.POSITIVE_INFINITY
  }
}
