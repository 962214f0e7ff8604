import { type Stats, statSync } from 'node:fs'
import { type Clock, StoreError } from '@slotkeeper/core/driver'
import type { Database } from 'better-sqlite3'
import { Mirror } from './mirror.ts'
import { prepareStatements, type Statements } from './sql.ts'
import type { UptimeClock } from './uptime-clock.ts'

/** A clock that a person set so far ahead must not use up the tokens there are. */
const HIGHEST_WALL_FLOOR = 2 ** 53 - 2 ** 40

/** The open file: its statements, its time, its transactions. */
export class Store {
  /** As the system knows it, links resolved. */
  readonly path: string
  readonly db: Database
  readonly sql: Statements
  readonly mirror: Mirror
  readonly #file: Stats
  readonly #uptime: UptimeClock
  readonly #clock: Clock
  /** Store time when the machine started. */
  readonly #base: number
  /** The times of the write transaction under way. */
  #writing: { readonly now: number; readonly wall: number } | undefined

  constructor(open: { path: string; db: Database; base: number; uptime: UptimeClock; clock: Clock }) {
    this.path = open.path
    this.db = open.db
    this.sql = prepareStatements(open.db)
    this.mirror = new Mirror(this.sql)
    this.#file = statSync(open.path)
    this.#base = open.base
    this.#uptime = open.uptime
    this.#clock = open.clock
  }

  /** Store time. A write transaction has one, read after the lock, so that no commit before it has a later one. */
  now(): number {
    return this.#writing?.now ?? Math.floor(this.#base + this.#uptime.now())
  }

  /** For people. */
  wall(): number {
    return this.#writing?.wall ?? this.#clock.wall()
  }

  /** Every new token is above this. The wall clock's part outlives a restored backup. */
  tokenFloor(wall: number): number {
    const micros = wall * 1000
    return Math.max(this.mirror.tokenFloor, micros <= HIGHEST_WALL_FLOOR ? Math.floor(micros) : 0)
  }

  /**
   * SQLite goes on with a file that was deleted or replaced, while other processes open the new one: two stores that know nothing of
   * each other.
   * @throws StoreError `SLOTKEEPER_STORE_UNAVAILABLE` when that happened
   */
  mustBeInPlace(): void {
    const now = statSync(this.path, { throwIfNoEntry: false })
    if (now?.ino === this.#file.ino && now.dev === this.#file.dev) return
    throw new StoreError(
      'SLOTKEEPER_STORE_UNAVAILABLE',
      `The store ${this.path} was deleted or replaced while it was open. Put it back, or close all processes that use it and start them again.`,
    )
  }

  /** Runs `work` while nobody else can write; throws busy at once, or within the busy timeout, when somebody does. */
  write<T>(work: () => T): T {
    this.sql.beginWrite.run()
    try {
      this.#writing = { now: this.now(), wall: this.wall() }
      this.mirror.refresh()
      const result = work()
      this.mirror.recent.commit(this.now())
      this.sql.commit.run()
      return result
    } catch (error) {
      this.mirror.forget()
      this.#rollBack()
      throw error
    } finally {
      this.#writing = undefined
    }
  }

  /** Runs `work` on one moment of the file, without holding up anybody. */
  read<T>(work: () => T): T {
    this.sql.beginRead.run()
    try {
      this.mirror.refresh()
      return work()
    } catch (error) {
      this.mirror.forget()
      throw error
    } finally {
      this.#rollBack()
    }
  }

  /** What this is, for people; reads a row, so it fails where reading does. */
  describe(): string {
    const [version] = this.sql.about.get() as [string]
    return `SQLite ${version}, journal mode ${this.db.pragma('journal_mode', { simple: true })}`
  }

  #rollBack(): void {
    // After a full disk or an I/O error SQLite has rolled back by itself.
    if (this.db.inTransaction) this.sql.rollback.run()
  }
}
