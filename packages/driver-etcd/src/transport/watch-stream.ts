import type { ClientDuplexStream } from '@grpc/grpc-js'
import type { Logger } from '@slotkeeper/core/driver'
import type { IEvent, IWatchRequest, IWatchResponse } from 'etcd3'
import type { EtcdTransport } from './etcd-transport.ts'

/** After so many attempts in a row that came to nothing it is said: until then a member may just have been restarted. */
const PATIENT = 3
/** Pauses between attempts, in ms. */
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 1000

/** Who listens to a watch. */
export interface WatchHost {
  readonly from: string
  readonly to: string
  /** From now on everything is told; what happened before may not have been. */
  readonly begin: () => void
  /** Nothing is told for now. */
  readonly pause: () => void
  readonly event: (event: IEvent) => void
  /** A key that is followed was written or deleted. */
  readonly followed: (event: IEvent) => void
  readonly logger: Logger
}

/** The watch on the range of keys gets the number 0 from the server; those on single keys have numbers from here on. */
const FIRST_FOLLOWED = 1000

/**
 * One watch on a range of keys that goes on through everything: it resumes behind the last event that was told, and where the server cannot do
 * that, or is not the one that it was, it begins anew and says so.
 */
export class WatchStream {
  readonly #transport: EtcdTransport
  readonly #host: WatchHost
  #stream: ClientDuplexStream<IWatchRequest, IWatchResponse> | undefined
  #timer: NodeJS.Timeout | undefined
  #running = false
  /** Counts the streams that were asked for: of several that come about late, only the last one counts. */
  #attempt = 0
  #failures = 0
  /** The revision up to which all was told; 0 = begin anew. */
  #told = 0
  /** Single keys, each with the number of its watch. */
  readonly #followed = new Map<string, number>()
  #lastFollowed = FIRST_FOLLOWED

  constructor(transport: EtcdTransport, host: WatchHost) {
    this.#transport = transport
    this.#host = host
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#told = 0
    void this.#open()
  }

  stop(): void {
    this.#running = false
    clearTimeout(this.#timer)
    this.#end()
  }

  /** Tells of one key as well, as long as the stream runs; of what happens while it is cut nothing is told. */
  follow(key: string): void {
    if (this.#followed.has(key)) return
    this.#followed.set(key, ++this.#lastFollowed)
    if (this.#stream !== undefined) this.#follow(key, this.#lastFollowed)
  }

  unfollow(key: string): void {
    const id = this.#followed.get(key)
    this.#followed.delete(key)
    if (id !== undefined) this.#stream?.write({ cancel_request: { watch_id: String(id) } } as IWatchRequest)
  }

  #follow(key: string, id: number): void {
    this.#stream?.write({ create_request: { key: Buffer.from(key), watch_id: String(id) } } as IWatchRequest)
  }

  async #open(): Promise<void> {
    const attempt = ++this.#attempt
    try {
      const stream = await this.#transport.watch()
      if (!this.#running || this.#attempt !== attempt) {
        stream.on('error', () => undefined) // it is cancelled
        stream.cancel()
        return
      }
      this.#stream = stream
      // An error is followed by the end of the status, or is all that comes: both lead to the next attempt, once.
      stream.on('error', (error) => this.#again(stream, error))
      stream.on('end', () => this.#again(stream))
      stream.on('data', (response: IWatchResponse) => {
        if (this.#stream === stream) this.#hear(response)
      })
      stream.write({
        create_request: {
          key: Buffer.from(this.#host.from),
          range_end: Buffer.from(this.#host.to),
          ...(this.#told === 0 ? {} : { start_revision: this.#told + 1 }),
        },
      } as IWatchRequest)
      for (const [key, id] of this.#followed) this.#follow(key, id)
    } catch (error) {
      if (this.#attempt === attempt) this.#again(undefined, error)
    }
  }

  #hear({ watch_id, created, canceled, cancel_reason, events, header }: IWatchResponse): void {
    if (Number(watch_id) > FIRST_FOLLOWED) {
      for (const event of events) this.#host.followed(event)
      return
    }
    const revision = Number(header.revision)
    if (canceled) {
      // What it would have told is forgotten, or this user may not watch: begin anew.
      this.#told = 0
      return this.#again(this.#stream, cancel_reason)
    }
    if (created) {
      if (this.#failures >= PATIENT)
        this.#host.logger.info({ event: 'watch-back' }, 'told of changes by etcd again')
      this.#failures = 0
      // A server that is behind what was told already is another one, restored from a backup, or has to catch up.
      if (this.#told !== 0 && revision >= this.#told) return
      if (this.#told !== 0) {
        this.#told = 0
        return this.#again(this.#stream)
      }
      this.#told = revision
      return this.#host.begin()
    }
    for (const event of events) this.#host.event(event)
    // While etcd catches up, the header is already of now. All events of a revision come in one response.
    this.#told = Number(events.at(-1)?.kv.mod_revision ?? revision)
  }

  #again(stream: ClientDuplexStream<IWatchRequest, IWatchResponse> | undefined, error?: unknown): void {
    if (!this.#running || this.#stream !== stream) return
    this.#end()
    if (this.#told === 0) this.#host.pause()
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS)
    if (++this.#failures === PATIENT)
      this.#host.logger.warn(
        { event: 'watch-lost', error },
        'etcd tells nothing of changes; who waits looks now and then until it does again',
      )
    this.#timer = setTimeout(() => void this.#open(), pauseMs * (0.5 + Math.random() / 2))
    this.#timer.unref()
  }

  #end(): void {
    const stream = this.#stream
    this.#stream = undefined
    stream?.cancel()
  }
}
