import { Channel } from './channel.ts'
import type { WatchEvent, WatchOptions } from './driver.ts'
import type { StoreEvent } from './rows.ts'

const RESYNC: WatchEvent = Object.freeze({ kind: 'resync' })
const OVERDUE: WatchEvent = Object.freeze({ kind: 'overdue' })
/** Unread hints of a slow reader before they become one `resync`. */
const MOST_UNREAD = 1000

/** What a commit tells other processes. */
export interface Told {
  /** The driver that committed; its own Manager has the events already. */
  readonly origin: string
  /** Left out where the store cannot carry them: whoever hears it looks for himself. */
  readonly events?: readonly StoreEvent[]
}

/** How `Watchers` come by what they tell. */
export interface WatchersOptions {
  /** The origin of what this driver tells others, which `hear` leaves out. Default: all that is heard is somebody else's. */
  readonly origin?: string
  /** The first one watches: listen to the store, and call `begin` once nothing is missed any more; at once, where that is so at once. */
  readonly onFirst: () => void
  /** Nobody watches any more: stop listening. */
  readonly onLast: () => void
}

interface Watcher {
  readonly wants: WatchOptions['wants']
  readonly channel: Channel<WatchEvent>
}

/**
 * Those who watch through one driver: however many they are, they share what the driver has in the store to listen with. A driver's `watch` is
 * `add`, its `close` calls `close`; what it learns from the store it says by the other methods.
 */
export class Watchers {
  readonly #origin: string | undefined
  readonly #onFirst: () => void
  readonly #onLast: () => void
  readonly #watchers = new Set<Watcher>()
  #listening = false

  constructor({ origin, onFirst, onLast }: WatchersOptions) {
    this.#origin = origin
    this.#onFirst = onFirst
    this.#onLast = onLast
  }

  /** Begins to watch, until the signal aborts, the reader leaves or all is closed. The first `resync` comes once the store tells what happens. */
  add({ wants, signal }: WatchOptions): Channel<WatchEvent> {
    const end = () => channel.end()
    const channel = new Channel<WatchEvent>({
      limit: MOST_UNREAD,
      overflow: RESYNC,
      onEnd: () => {
        signal.removeEventListener('abort', end)
        if (!this.#watchers.delete(watcher) || this.#watchers.size > 0) return
        this.#listening = false
        this.#onLast()
      },
    })
    const watcher = { wants, channel }
    this.#watchers.add(watcher)
    signal.addEventListener('abort', end, { once: true })
    if (this.#listening) channel.push(RESYNC)
    else if (this.#watchers.size === 1) this.#onFirst()
    if (signal.aborted) end()
    return channel
  }

  /** From now on the store tells what happens; something may have happened before. */
  begin(): void {
    this.#listening = true
    this.resync()
  }

  /** The store tells nothing for now: who comes meanwhile gets the first `resync` when it begins again. */
  pause(): void {
    this.#listening = false
  }

  /** Something may have happened that nobody told. */
  resync(): void {
    for (const { channel } of this.#watchers) channel.push(RESYNC)
  }

  /** A sweep would find something now. */
  overdue(): void {
    for (const { channel } of this.#watchers) channel.push(OVERDUE)
  }

  /** Others have committed this: each watcher hears what it wants. */
  tell(events: readonly StoreEvent[]): void {
    for (const event of events)
      for (const { wants, channel } of this.#watchers)
        if (wants(event)) channel.push({ kind: 'event', event })
  }

  /** What came from the store: `Told` as JSON. Whatever else it is, no driver wrote it, and it only makes everybody look. */
  hear(text: string): void {
    const told = toldBy(text)
    if (told?.events === undefined) this.resync()
    else if (told.origin !== this.#origin) this.tell(told.events)
  }

  /** Ends every watch. */
  close(): void {
    for (const { channel } of this.#watchers) channel.end()
  }
}

function toldBy(text: string): Partial<Told> | undefined {
  try {
    const told = JSON.parse(text) as Partial<Told> | null
    return Array.isArray(told?.events) &&
      told.events.every((event) => isText(event?.kind) && isText(event.repository))
      ? told
      : undefined
  } catch {
    return undefined
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}
