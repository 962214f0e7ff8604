import { Channel, type WatchEvent, type WatchOptions } from '@slotkeeper/core/driver'
import type { Told } from './payloads.ts'

const RESYNC: WatchEvent = Object.freeze({ kind: 'resync' })
/** Unread events of a slow reader before they become one `resync`. */
const MOST_UNREAD = 1000

interface Watcher {
  readonly wants: WatchOptions['wants']
  readonly channel: Channel<WatchEvent>
}

/** Those who watch in this process. */
export class Watchers {
  /** Notifications of this origin told themselves already. */
  readonly #origin: string
  readonly #onFirst: () => void
  readonly #onLast: () => void
  readonly #watchers = new Set<Watcher>()
  #listening = false

  constructor(origin: string, listening: { readonly onFirst: () => void; readonly onLast: () => void }) {
    this.#origin = origin
    this.#onFirst = listening.onFirst
    this.#onLast = listening.onLast
  }

  /** Begins to watch. Its first `resync` comes once the server tells this process what happens. */
  add({ wants, signal }: WatchOptions): Channel<WatchEvent> {
    const end = () => channel.end()
    const channel = new Channel<WatchEvent>({
      limit: MOST_UNREAD,
      overflow: RESYNC,
      onEnd: () => {
        signal.removeEventListener('abort', end)
        if (this.#watchers.delete(watcher) && this.#watchers.size === 0) {
          this.#listening = false
          this.#onLast()
        }
      },
    })
    const watcher = { wants, channel }
    this.#watchers.add(watcher)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    else if (this.#listening) channel.push(RESYNC)
    else if (this.#watchers.size === 1) this.#onFirst()
    return channel
  }

  /** From now on the server tells what happens; something may have happened before. */
  begin(): void {
    this.#listening = true
    this.resync()
  }

  /** The server tells nothing for now. */
  pause(): void {
    this.#listening = false
  }

  /** Something may have happened that nobody told. */
  resync(): void {
    for (const { channel } of this.#watchers) channel.push(RESYNC)
  }

  /** What a notification says. */
  hear(payload: string): void {
    let told: Told
    try {
      told = JSON.parse(payload) as Told
    } catch {
      // Whoever may connect may notify; what is no word of a driver only makes everybody look.
      return this.resync()
    }
    if (told.origin === this.#origin) return
    if (!Array.isArray(told.events)) return this.resync()
    for (const event of told.events)
      for (const { wants, channel } of this.#watchers)
        if (wants(event)) channel.push({ kind: 'event', event })
  }

  close(): void {
    for (const { channel } of this.#watchers) channel.end()
  }
}
