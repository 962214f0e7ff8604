import { Channel, type StoreEvent, type WatchEvent, type WatchOptions } from '@slotkeeper/core/driver'
import type { Bell } from './bell.ts'
import type { Cell } from './run-columns.ts'
import type { Store } from './store.ts'

const RESYNC: WatchEvent = Object.freeze({ kind: 'resync' })
/** Unread events of a slow reader before they become one `resync`. */
const MOST_UNREAD = 1000
/** Commits read at once. */
const PAGE = 256

interface Watcher {
  readonly wants: WatchOptions['wants']
  readonly channel: Channel<WatchEvent>
}

/** Tells those who watch in this process what other ones wrote into `event`. */
export class Watchers {
  readonly #store: Store
  readonly #bell: Bell
  /** Rows of this origin told themselves already. */
  readonly #origin: string
  readonly #watchers = new Set<Watcher>()
  #cursor = 0
  /** SQLite's count of what others have committed, as it was when all of that had been told. */
  #toldVersion: Cell | undefined

  constructor(store: Store, bell: Bell, origin: string) {
    this.#store = store
    this.#bell = bell
    this.#origin = origin
  }

  /** Begins to watch; what is committed from now on is told. */
  add({ wants, signal }: WatchOptions): Channel<WatchEvent> {
    const end = () => channel.end()
    const channel = new Channel<WatchEvent>({
      limit: MOST_UNREAD,
      overflow: RESYNC,
      onEnd: () => {
        signal.removeEventListener('abort', end)
        this.#watchers.delete(watcher)
        if (this.#watchers.size === 0) this.#bell.silence()
      },
    })
    const watcher = { wants, channel }
    if (this.#watchers.size === 0) {
      this.#cursor = this.#newest()
      this.#bell.listen(() => this.#look())
    }
    this.#watchers.add(watcher)
    signal.addEventListener('abort', end, { once: true })
    channel.push(RESYNC)
    if (signal.aborted) end()
    return channel
  }

  close(): void {
    for (const { channel } of this.#watchers) channel.end()
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
          if ((id as number) !== this.#cursor + 1) this.#tell(RESYNC)
          this.#cursor = id as number
          if (origin !== this.#origin) this.#tellEvents(JSON.parse(events as string))
        }
        if (rows.length < PAGE) break
      }
      this.#toldVersion = version
    } catch {
      // The file is locked for a moment, or gone: the backstop looks again, and calls that need the store say what is wrong.
    }
  }

  #tellEvents(events: readonly StoreEvent[]): void {
    for (const event of events)
      for (const { wants, channel } of this.#watchers)
        if (wants(event)) channel.push({ kind: 'event', event })
  }

  #tell(hint: WatchEvent): void {
    for (const { channel } of this.#watchers) channel.push(hint)
  }
}
