import type { Watchers } from '@slotkeeper/core/driver'
import type { Bell } from './bell.ts'
import type { Cell } from './run-columns.ts'
import type { Store } from './store.ts'

/** Commits read at once. */
const PAGE = 256

/** Tells those who watch in this process what other ones wrote into `event`. */
export class News {
  readonly #store: Store
  readonly #bell: Bell
  /** Rows of this origin told themselves already. */
  readonly #origin: string
  readonly #watchers: Watchers
  #cursor = 0
  /** SQLite's count of what others have committed, as it was when all of that had been told. */
  #toldVersion: Cell | undefined

  constructor({
    store,
    bell,
    origin,
    watchers,
  }: {
    readonly store: Store
    readonly bell: Bell
    readonly origin: string
    readonly watchers: Watchers
  }) {
    this.#store = store
    this.#bell = bell
    this.#origin = origin
    this.#watchers = watchers
  }

  /** What is committed from now on is told. */
  start(): void {
    this.#cursor = this.#newest()
    this.#bell.listen(() => this.#look())
    this.#watchers.begin()
  }

  stop(): void {
    this.#bell.silence()
  }

  #newest(): number {
    try {
      return this.#store.sql.newestEvent.get() as number
    } catch {
      // Locked for a moment: old hints do no harm.
      return 0
    }
  }

  #look(): void {
    try {
      // The bell rings for this process's own commits too. The version is read first, so that what comes later is looked for again.
      const version = this.#store.sql.dataVersion.get()
      if (version === this.#toldVersion) return
      for (;;) {
        const rows = this.#store.sql.eventsAfter.all(this.#cursor, PAGE)
        for (const [id, origin, events] of rows) {
          // Ids have no gaps: a missing one was deleted before it was read.
          if ((id as number) !== this.#cursor + 1) this.#watchers.resync()
          this.#cursor = id as number
          if (origin !== this.#origin) this.#watchers.tell(JSON.parse(events as string))
        }
        if (rows.length < PAGE) break
      }
      this.#toldVersion = version
    } catch {
      // The file is locked for a moment, or gone: the backstop looks again, and calls that need the store say what is wrong.
    }
  }
}
