import type { Logger } from '@slotkeeper/core/driver'
import pg from 'pg'
import { cut } from './connections.ts'
import { LOOKED_FOR_MS } from './hints.ts'
import { quoted } from './sql-names.ts'

/** Pauses before connecting again: doubling from the first to the last, each cut by a random part. */
const FIRST_PAUSE_MS = 50
const LAST_PAUSE_MS = 5000
/** How often the driver looks where the server tells nothing. */
const LOOK_MS = 1000
/** Later than every transaction that there is. */
const ALL = '9223372036854775807'
/** How many looks it takes until every decision knows that somebody looks. */
const UNSURE_LOOKS = 6
/** How long a word to oneself may take to come back, before the connection counts as one that lets none through. */
const PROBE_MS = 2000

/** What the listener needs of its driver. */
export interface ListenerOptions {
  readonly config: pg.ClientConfig
  readonly channel: string
  /** False: the server is never asked to tell. */
  readonly listen: boolean
  /** Told once when the server tells nothing any more, and once when it does again. */
  readonly logger: Logger
  /** Sends a notification on another connection. */
  readonly notify: (payload: string) => Promise<void>
  /** The server tells from now on. */
  readonly onBegin: () => void
  /** The connection is gone. */
  readonly onPause: () => void
  /** Says that this process looks for itself, and looks: gives what was told since the transaction, and from which on to look next. */
  readonly look: (since: string) => Promise<{ readonly payloads: readonly string[]; readonly next: string }>
  /** Something may be missing. */
  readonly onGap: () => void
  readonly onNotification: (payload: string) => void
}

/**
 * One connection that listens, as long as somebody watches. It comes back by itself, with growing pauses, and says so each time. Where a
 * pooler in between lets no notification through, or listening is off, it says every second that it is time to look.
 */
export class Listener {
  readonly #options: ListenerOptions
  #client: pg.Client | undefined
  /** The client, once the server tells it of changes. */
  #hearing: pg.Client | undefined
  #timer: NodeJS.Timeout | undefined
  /** The looks under way; another number ends them. */
  #looking = 0
  #lookTimer: NodeJS.Timeout | undefined
  #running = false
  #pauses = 0
  #problem: string | undefined
  #looks = false
  /** The log knows that the server tells nothing. */
  #isQuiet = false

  constructor(options: ListenerOptions) {
    this.#options = options
  }

  /** How this process is told, for people. */
  get describe(): string {
    if (!this.#running) return 'told of changes as soon as somebody waits'
    if (this.#looks) return 'looking every second, since notifications do not come through'
    if (!this.#options.listen) return 'looking every second'
    if (this.#problem !== undefined) return `connecting to be told of changes again (${this.#problem})`
    return 'told of changes by the server'
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    if (this.#options.listen && !this.#looks) void this.#connect()
    else this.#look()
  }

  stop(): void {
    this.#running = false
    clearTimeout(this.#timer)
    this.#stopLooking()
    const client = this.#client
    this.#client = undefined
    this.#hearing = undefined
    if (client !== undefined) cut(client)
  }

  /** Another connection had no answer in time. This one says nothing of itself, so it is asked: without an answer it is replaced. */
  async check(): Promise<void> {
    const client = this.#hearing
    if (client === undefined) return
    const timer = setTimeout(() => cut(client), PROBE_MS).unref()
    try {
      await client.query('SELECT')
    } catch {
      // It is lost, which is heard of by itself.
    } finally {
      clearTimeout(timer)
    }
  }

  /** Looks again and again. Decisions that were under way when it began do not know of it yet, so that for a while everything may have changed. */
  #look(): void {
    this.#stopLooking()
    const mine = this.#looking
    let since = ALL
    let unsure = UNSURE_LOOKS
    let before = performance.now()
    const again = async () => {
      const began = performance.now()
      try {
        const { payloads, next } = await this.#options.look(since)
        if (mine !== this.#looking) return
        // Decisions may have thought that nobody looks any more; or this is another server, which counts its own transactions.
        const isLate = performance.now() - before > LOOKED_FOR_MS / 2
        if (isLate || BigInt(next) < BigInt(since === ALL ? 0 : since)) unsure = UNSURE_LOOKS
        before = began
        if (since === ALL) this.#options.onBegin()
        else for (const payload of payloads) this.#options.onNotification(payload)
        since = next
        this.#problem = undefined
      } catch (error) {
        if (mine !== this.#looking) return
        this.#problem = error instanceof Error ? error.message : String(error)
        unsure = UNSURE_LOOKS
      }
      if (unsure-- > 0) this.#options.onGap()
      this.#lookTimer = setTimeout(() => void again(), LOOK_MS).unref()
    }
    void again()
  }

  #stopLooking(): void {
    this.#looking++
    clearTimeout(this.#lookTimer)
  }

  async #connect(): Promise<void> {
    const client = new pg.Client(this.#options.config)
    this.#client = client
    // Told once, whichever of the two comes first.
    let isLost = false
    const lost = (error: unknown) => {
      if (isLost) return
      isLost = true
      this.#again(client, error)
    }
    client.on('error', lost)
    client.on('end', () => lost(new Error('the server ended the connection')))
    const probe = `probe ${Math.random()}`
    let onProbe = () => {}
    client.on('notification', ({ payload = '' }) => {
      if (payload === probe) onProbe()
      else if (!payload.startsWith('probe ')) this.#options.onNotification(payload)
    })
    try {
      await client.connect()
      await client.query(`LISTEN ${quoted(this.#options.channel)}`)
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      // A pooler answers with another number than the server. Whether it lets notifications through is found out, and nobody waits for that.
      const { processID } = client as unknown as { processID: number }
      if (rows[0]?.pid !== processID && this.#client === client) {
        this.#look()
        const isHeard = await this.#isHeard(probe, (heard) => (onProbe = heard))
        if (this.#client !== client || isLost) return
        if (isHeard) this.#stopLooking()
        else return this.#listenNoMore(client)
      }
    } catch (error) {
      cut(client)
      return lost(error)
    }
    if (this.#client !== client || isLost) return
    this.#pauses = 0
    this.#problem = undefined
    if (this.#isQuiet)
      this.#options.logger.info({ event: 'notifications-back' }, 'told of changes by PostgreSQL again')
    this.#isQuiet = false
    this.#hearing = client
    this.#options.onBegin()
  }

  /** Only looks from now on. */
  #listenNoMore(client: pg.Client): void {
    this.#looks = true
    this.#client = undefined
    cut(client)
    this.#options.logger.warn(
      { event: 'notifications-blocked' },
      'notifications of PostgreSQL do not come through, as behind a pooler: looking every second instead',
    )
  }

  async #isHeard(probe: string, whenHeard: (heard: () => void) => void): Promise<boolean> {
    const heard = new Promise<boolean>((resolve) => {
      whenHeard(() => resolve(true))
      setTimeout(() => resolve(false), PROBE_MS).unref()
    })
    await this.#options.notify(probe)
    return await heard
  }

  #again(client: pg.Client, error: unknown): void {
    if (this.#client !== client) return
    this.#client = undefined
    this.#hearing = undefined
    this.#stopLooking()
    this.#problem = error instanceof Error ? error.message : String(error)
    this.#options.onPause()
    if (!this.#running) return
    if (!this.#isQuiet)
      this.#options.logger.warn(
        { event: 'notifications-lost', error: this.#problem },
        'not told of changes by PostgreSQL for now: waiters look for themselves until it is reached again',
      )
    this.#isQuiet = true
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#pauses++, LAST_PAUSE_MS) * (0.5 + Math.random() / 2)
    this.#timer = setTimeout(() => void this.#connect(), pauseMs).unref()
  }
}
