import { Channel, type WatchEvent, type WatchOptions } from '@slotkeeper/core/driver'
import type { IEvent } from 'etcd3'
import type { Told } from './document.ts'
import type { KeySpace } from './keys.ts'

const RESYNC: WatchEvent = Object.freeze({ kind: 'resync' })
const OVERDUE: WatchEvent = Object.freeze({ kind: 'overdue' })
/** Everybody hears of a death at once; who sweeps first spares the others the work. */
const SPREAD_MS = 300
/** Unread events of a slow reader before they become one `resync`. */
const MOST_UNREAD = 1000

interface Watcher {
  readonly wants: WatchOptions['wants']
  readonly channel: Channel<WatchEvent>
}

/** Those who watch in this process: however many they are, they have one stream. */
export class Watchers {
  readonly #keys: KeySpace
  /** Events of this origin told themselves already. */
  readonly #origin: string
  readonly #onFirst: () => void
  readonly #onLast: () => void
  readonly #watchers = new Set<Watcher>()
  #listening = false
  #sweep: NodeJS.Timeout | undefined

  constructor(
    keys: KeySpace,
    origin: string,
    listening: { readonly onFirst: () => void; readonly onLast: () => void },
  ) {
    this.#keys = keys
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
    for (const { channel } of this.#watchers) channel.push(RESYNC)
  }

  /** The server tells nothing for now. */
  pause(): void {
    this.#listening = false
  }

  /** What the store tells: a key below `watched/`. */
  hear({ type, kv }: IEvent): void {
    if (!kv.key.toString().startsWith(this.#keys.event(''))) {
      if (type === 'Delete') this.overdue(Math.random() * SPREAD_MS)
      return
    }
    if (type !== 'Put') return
    const told = toldBy(kv.value.toString())
    // What no driver has written only makes everybody look.
    if (told === undefined) return this.begin()
    if (told.origin === this.#origin) return
    for (const event of told.events)
      for (const { wants, channel } of this.#watchers)
        if (wants(event)) channel.push({ kind: 'event', event })
  }

  /** A sweep would find something. */
  overdue(afterMs: number): void {
    if (this.#sweep !== undefined || this.#watchers.size === 0) return
    this.#sweep = setTimeout(() => {
      this.#sweep = undefined
      for (const { channel } of this.#watchers) channel.push(OVERDUE)
    }, afterMs)
    this.#sweep.unref()
  }

  close(): void {
    clearTimeout(this.#sweep)
    for (const { channel } of this.#watchers) channel.end()
  }
}

function toldBy(text: string): Told | undefined {
  try {
    const told = JSON.parse(text) as Partial<Told> | null
    return Array.isArray(told?.events) &&
      told.events.every((event) => isText(event?.kind) && isText(event.repository))
      ? (told as Told)
      : undefined
  } catch {
    return undefined
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}
