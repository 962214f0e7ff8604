import type { RepositoryKey, RepositoryRow, RunKey, RunRow } from '@slotkeeper/core/driver'
import { RecentReader } from './recent-reader.ts'
import type { Counted, Told } from './recent-row.ts'
import { RecentWriter } from './recent-writer.ts'
import { type Counters, countsOf } from './repository-columns.ts'
import { type Cell, runCells } from './run-columns.ts'
import { RUNS_AT_ONCE, type Statements } from './sql.ts'

/** After so many runs, so many words on them, or so many commits, all is settled; it takes some milliseconds. */
const MOST_RUNS = 2048
const MOST_WORDS = 16_384
const MOST_COMMITS = 4096
/** Counts of so many repositories stay ahead even then: they change with every commit, and are written together here. */
const MOST_COUNTS = 4096

/**
 * Whether nobody looks for the row but by its own key: a record, or a running slot without a due time. (Rows of a holder that is gone are
 * looked for after settling.)
 */
export function isPlain({ phase, dueAt }: Pick<RunRow, 'phase' | 'dueAt'>): boolean {
  return phase === 'record' || (phase === 'running' && dueAt === undefined)
}

/** The newest word on a run. */
interface Word {
  /** Nobody changes it. */
  row: RunRow
  /** Of a run of the same name in another repository. */
  next: Word | undefined
}

const NO_WORDS: Word[] = []

/** What came before the tables in one repository. */
interface Ahead {
  readonly id: number
  readonly key: RepositoryKey
  words: Word[]
  counters: Counters
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
  /** By the repository's id. */
  readonly #ahead = new Map<number, Ahead>()
  readonly #words = new Map<RunKey, Word>()
  /** Told in the transaction under way. */
  readonly #writer = new RecentWriter()
  /** Runs here, and words on runs since all was settled. */
  #runs = 0
  #told = 0
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
      const reader = new RecentReader(changes as string)
      for (const told of reader.told) this.#read(reader, told)
      this.#newest = id as number
    }
    this.#settled = settled
  }

  /** To be called when a transaction was rolled back. */
  forget(): void {
    this.#settled = undefined
    this.#writer.clear()
    this.#clear()
  }

  counters(id: number): Counters | undefined {
    return this.#ahead.get(id)?.counters
  }

  committedAt(id: number): number {
    return this.#ahead.get(id)?.committedAt ?? 0
  }

  /** The run's row, if it is here. Whoever wants to change it takes a copy. */
  run(key: RepositoryKey, run: RunKey): RunRow | undefined {
    return this.#word(key, run)?.row
  }

  /** Copies of the runs of one repository, or of all. */
  *runs(of?: number): Iterable<RunRow> {
    for (const { id, words } of this.#ahead.values())
      if (of === undefined || of === id) for (const { row } of words) yield { ...row }
  }

  /** Takes note of a repository's counters, the time of the commit and the changed rows of runs; none of it is changed from now on. */
  save(id: number, committedAt: number, counted: RepositoryRow, [row, ...others]: readonly RunRow[]): void {
    const key = counted.repository
    const ahead = this.#aheadOf(id, key, committedAt, counted)
    const word = row && this.#word(key, row.run)
    this.#writer.counted(id, committedAt, counted, row, word?.row)
    if (row !== undefined) this.#learn(ahead, row, word)
    for (const other of others) {
      const known = this.#word(key, other.run)
      this.#writer.run(other, known?.row)
      this.#learn(ahead, other, known)
    }
  }

  /** Writes what is here of a repository into the tables. */
  settle(id: number): void {
    const ahead = this.#ahead.get(id)
    if (ahead === undefined) return
    this.#writeRuns(cellsOf(ahead))
    this.#writeCounts(ahead)
    this.#writer.settled(id)
    this.#drop(ahead)
  }

  /** Appends what the transaction told; to be called last in it. */
  commit(now: number): void {
    if (this.#writer.isEmpty) return
    if (
      this.#runs > MOST_RUNS ||
      this.#told > MOST_WORDS ||
      this.#newest - (this.#settled as number) > MOST_COMMITS
    )
      this.#settleAll(MOST_COUNTS)
    if (this.#writer.isEmpty) return
    this.#sql.addRecent.run(++this.#newest, now, this.#writer.text())
    this.#writer.clear()
  }

  /** Writes all of it into the tables. */
  settleAll(): void {
    if (this.#ahead.size > 0) this.#settleAll(0)
  }

  #settleAll(mostCounts: number): void {
    const all = [...this.#ahead.values()]
    this.#writeRuns(all.flatMap(cellsOf))
    this.#sql.dropRecent.run()
    this.#sql.noteSettled.run(this.#newest)
    this.#settled = this.#newest
    this.#clear()
    this.#writer.clear()
    for (const ahead of all)
      if (all.length > mostCounts) this.#writeCounts(ahead)
      else {
        this.#aheadOf(ahead.id, ahead.key, ahead.committedAt, ahead.counters)
        this.#writer.counted(ahead.id, ahead.committedAt, ahead.counters)
      }
  }

  #writeCounts({ id, counters, committedAt }: Ahead): void {
    this.#sql.saveCounts.run(countsOf(counters), committedAt, id)
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

  #read(reader: RecentReader, told: Told): void {
    const [id] = told
    if (told[1] === undefined) {
      const ahead = this.#ahead.get(id)
      if (ahead !== undefined) this.#drop(ahead)
      return
    }
    const key = this.#ahead.get(id)?.key ?? (this.#sql.keyOf.get(id) as RepositoryKey | undefined)
    const [, committedAt, token, sequence, live, others, ...runs] = told as Counted
    // It was settled and removed in a later row.
    if (key === undefined) {
      for (const run of runs) reader.pass(run)
      return
    }
    const counters = reader.counters(token, sequence, live, others)
    const ahead = this.#aheadOf(id, key, reader.committedAt(committedAt), counters)
    for (const run of runs) {
      const word = this.#word(key, run[1])
      this.#learn(ahead, reader.run(key, run, word?.row), word)
    }
  }

  #aheadOf(id: number, key: RepositoryKey, committedAt: number, counters: Counters): Ahead {
    let ahead = this.#ahead.get(id)
    if (ahead === undefined) {
      ahead = { id, key, words: NO_WORDS, counters, committedAt }
      this.#ahead.set(id, ahead)
    } else {
      ahead.counters = counters
      ahead.committedAt = committedAt
    }
    return ahead
  }

  #word(key: RepositoryKey, run: RunKey): Word | undefined {
    let word = this.#words.get(run)
    while (word !== undefined && word.row.repository !== key) word = word.next
    return word
  }

  #learn(ahead: Ahead, row: RunRow, word: Word | undefined): void {
    const { run, phase, dueAt } = row
    this.#told++
    if (word !== undefined) word.row = row
    else {
      const made = { row, next: this.#words.get(run) }
      this.#words.set(run, made)
      // Few have more than one or two, and an array that grows begins with room for many.
      if (ahead.words.length === 0) ahead.words = [made]
      else ahead.words.push(made)
      this.#runs++
    }
    if (phase === 'record' && dueAt !== undefined && dueAt < this.#firstDue) this.#firstDue = dueAt
  }

  #drop({ id, words }: Ahead): void {
    this.#ahead.delete(id)
    this.#runs -= words.length
    for (const word of words) {
      const { run } = word.row
      const first = this.#words.get(run) as Word
      if (first !== word) withoutNext(first, word)
      else if (word.next === undefined) this.#words.delete(run)
      else this.#words.set(run, word.next)
    }
  }

  #clear(): void {
    this.#ahead.clear()
    this.#words.clear()
    this.#runs = this.#told = 0
    this.#firstDue = Number.POSITIVE_INFINITY
  }
}

function withoutNext(first: Word, word: Word): void {
  let at = first
  while (at.next !== undefined && at.next !== word) at = at.next
  at.next = word.next
}

function cellsOf({ id, words }: Ahead): Cell[][] {
  return words.map(({ row }) => runCells(id, row))
}

/** As the table is filed: by run, then by the repository's id. */
function byRun([run, repository]: readonly Cell[], [otherRun, otherRepository]: readonly Cell[]): number {
  if (run === otherRun) return (repository as number) - (otherRepository as number)
  return (run as string) < (otherRun as string) ? -1 : 1
}
