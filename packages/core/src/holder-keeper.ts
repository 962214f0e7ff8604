import { within } from './call-options.ts'
import type { Cancel, Clock } from './clock.ts'
import type { Driver, HolderTerm } from './driver.ts'
import { CallTimeoutError, isSlotkeeperError } from './errors.ts'
import type { HolderId } from './keys.ts'
import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'
import { randomId } from './random-id.ts'

/** What the keeper needs, and whom it tells. */
export interface KeeperHost {
  readonly driver: Driver
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly random: () => number
  readonly label: string
  readonly ttlMs: number
  readonly callTimeoutMs: number
  readonly closing: AbortSignal
  /** Something depends on the holder: slots, waiters, watchers. Without, heartbeats pause. */
  isBusy(): boolean
  /** The holder is lost: its slots cannot be proved to be held any more. */
  lost(holder: HolderId, reason: 'deadline' | 'holder-lost'): void
  /** Somebody took a slot from the holder. */
  raised(): void
  /** The machine was suspended, which held up every timer. */
  resumed(): void
  /** The store has overdue work for somebody. */
  sweepDue(): void
}

/** After how many heartbeats the store's slots are compared with those in hand. */
const LOOK_EVERY = 4

/** By so much two clocks of one machine may differ that were read one after the other. */
const SUSPENDED_MS = 20

/** The local times at which a request was sent. */
interface Sent {
  readonly sentMonotonic: number
  readonly sentUptime: number
}

interface Term extends Sent {
  readonly holder: HolderId
  readonly epoch: number
  readonly storeNow: number
}

/**
 * Keeps this Manager's claim to be alive. One heartbeat whatever the number of slots, and none while nothing depends on it.
 *
 * The local deadline is the moment at which the last successful heartbeat was *sent*, plus the TTL, minus a margin, by whichever of
 * two clocks is further: so it passes before the store may call the holder overdue, even after a suspension. Past it the holder is
 * given up for ever, and a new one is opened when one is needed.
 */
export class HolderKeeper {
  readonly #host: KeeperHost
  readonly #marginMs: number
  readonly #safeMs: number
  #term: Term | undefined
  #opening: Promise<HolderId> | undefined
  #cancelBeat: Cancel | undefined
  #cancelDeadline: Cancel | undefined
  #beating = false
  #failures = 0
  #beats = 0
  #opened = 0

  constructor(host: KeeperHost) {
    this.#host = host
    this.#marginMs = Math.min(3000, host.ttlMs / 10)
    this.#safeMs = host.ttlMs - this.#marginMs
  }

  /** The holder as last known, whether or not its deadline has passed. */
  get holder(): HolderId | undefined {
    return this.#term?.holder
  }

  /** A holder that may be granted slots: at once when there is one, else opened first. `now` spares a look at the monotonic clock. */
  ensure(now?: number): HolderId | Promise<HolderId> {
    const term = this.#term
    if (term !== undefined && this.#cancelBeat !== undefined && !this.#mayBePast(term, now))
      return term.holder
    if (term !== undefined && !this.isPast()) {
      // Idle until now: a heartbeat that is due goes out with the first use.
      this.#armBeat(this.#host.ttlMs / 3 - (this.#host.clock.monotonic() - term.sentMonotonic))
      this.#armDeadline()
      return term.holder
    }
    if (term !== undefined) this.giveUp('deadline')
    return this.#open()
  }

  /** Whether the local deadline has passed; read from both clocks, for a timer may be late. */
  isPast(): boolean {
    return this.remainingMs() <= 0
  }

  /** Milliseconds to the local deadline. */
  remainingMs(): number {
    const term = this.#term
    return term === undefined ? 0 : this.#safeMs - this.#goneMs(term)
  }

  /** Milliseconds to a store time, at the least: both clocks are read, as for the deadline. */
  untilMs(storeTime: number): number {
    const term = this.#term
    return term === undefined ? 0 : storeTime - term.storeNow - this.#goneMs(term)
  }

  /** The store's time by now, at the earliest later than it is by one round trip. 0 before anything was heard of it. */
  storeNow(now = this.#host.clock.monotonic()): number {
    const term = this.#term
    return term === undefined ? 0 : term.storeNow + (now - term.sentMonotonic)
  }

  /** Gives the holder up: everything that hangs on it is lost. A store that called it dead is not asked again. */
  giveUp(reason: 'deadline' | 'holder-lost', holder = this.#term?.holder): void {
    if (holder === undefined || this.#term?.holder !== holder) return
    this.#term = undefined
    this.stop()
    this.#host.logger.error(
      { event: 'holder-lost', holder, reason },
      'the holder is lost; its slots are given up',
    )
    this.#host.lost(holder, reason)
  }

  /** Stops the timers; the store lets the holder run out. */
  stop(): void {
    this.#cancelBeat?.()
    this.#cancelBeat = undefined
    this.#cancelDeadline?.()
    this.#cancelDeadline = undefined
  }

  /** Closes the holder in the store, so that nothing of it has to run out. */
  async close(signal: AbortSignal): Promise<void> {
    const holder = this.#term?.holder
    this.stop()
    this.#term = undefined
    if (holder !== undefined) await this.#host.driver.closeHolder(holder, signal)
  }

  /** A look at one clock only, for every call. A synchronous store, on the same clock, looks for itself. */
  #mayBePast(term: Term, now: number | undefined): boolean {
    const { driver, clock } = this.#host
    return !driver.manifest.synchronous && (now ?? clock.monotonic()) >= term.sentMonotonic + this.#safeMs
  }

  #open(): HolderId | Promise<HolderId> {
    if (this.#opening !== undefined) return this.#opening
    const { driver, ttlMs, callTimeoutMs } = this.#host
    const holder = this.#newId()
    const sent = this.#sent()
    const controller = new AbortController()
    const answer = driver.openHolder(holder, ttlMs, controller.signal)
    if (!(answer instanceof Promise)) return this.#started(holder, sent, answer)
    this.#opening = this.#limited(answer, callTimeoutMs, 'Opening a holder', controller)
      .then((term) => this.#started(holder, sent, term))
      .finally(() => {
        this.#opening = undefined
      })
    return this.#opening
  }

  #started(holder: HolderId, sent: Sent, term: HolderTerm): HolderId {
    this.#accept(holder, sent, term)
    this.#host.logger.debug({ event: 'holder-opened', holder, ttlMs: this.#host.ttlMs }, 'opened a holder')
    this.#armBeat(this.#host.ttlMs / 3)
    return holder
  }

  #accept(holder: HolderId, sent: Sent, term: HolderTerm): void {
    this.#failures = 0
    this.#term = { holder, epoch: term.epoch, storeNow: term.now, ...sent }
    this.#armDeadline()
  }

  /** One beat. While the store does not answer, tries again ever sooner than the deadline. */
  async #beat(): Promise<void> {
    const term = this.#term
    if (term === undefined || this.#beating) return
    const { driver, ttlMs, logger, metrics } = this.#host
    if (this.isPast()) return this.giveUp('deadline', term.holder)
    if (!this.#host.isBusy()) return this.stop()
    this.#beating = true
    const sent = this.#sent()
    let next = ttlMs / 3
    try {
      const controller = new AbortController()
      const answer = driver.heartbeat(term.holder, controller.signal)
      // Half of what is left, so that an answer that never comes leaves time for another attempt.
      const ms = Math.max(this.remainingMs() / 2, 1)
      const heard =
        answer instanceof Promise ? await this.#limited(answer, ms, 'A heartbeat', controller) : answer
      if (this.#term?.holder !== term.holder) return
      if (this.isPast()) return this.giveUp('deadline', term.holder)
      this.#accept(term.holder, sent, heard)
      metrics.count('slotkeeper_heartbeats_total', { driver: driver.name, result: 'ok' })
      // Now and then a look although nobody said anything: what a late duplicate brought about is found that way.
      if (heard.epoch !== term.epoch || ++this.#beats % LOOK_EVERY === 0) this.#host.raised()
      if (heard.sweep) this.#host.sweepDue()
    } catch (error) {
      if (this.#term?.holder !== term.holder) return
      metrics.count('slotkeeper_heartbeats_total', { driver: driver.name, result: 'failed' })
      if (isSlotkeeperError(error, 'SLOTKEEPER_HOLDER_LOST')) return this.giveUp('holder-lost', term.holder)
      if (this.isPast()) return this.giveUp('deadline', term.holder)
      this.#failures++
      logger.warn(
        {
          event: 'heartbeat-failed',
          holder: term.holder,
          failures: this.#failures,
          remainingMs: this.remainingMs(),
          error,
        },
        'a heartbeat failed',
      )
      next = Math.min(ttlMs / 10, 1000 * this.#failures)
    } finally {
      this.#beating = false
    }
    if (!this.#host.closing.aborted) this.#armBeat(next)
  }

  /** What is not answered in time is not waited for any more, by the driver neither. */
  async #limited<T>(answer: Promise<T>, ms: number, what: string, controller: AbortController): Promise<T> {
    const { clock, closing } = this.#host
    const expired = () => new CallTimeoutError(what, Math.round(ms))
    try {
      return await within(answer, { clock, ms, expired, signals: [closing] })
    } catch (error) {
      controller.abort(error)
      throw error
    }
  }

  #armBeat(ms: number): void {
    this.#cancelBeat?.()
    const jittered = Math.max(0, ms) * (0.9 + this.#host.random() / 10)
    this.#cancelBeat = this.#host.clock.schedule(() => void this.#beat(), jittered)
  }

  #armDeadline(): void {
    this.#cancelDeadline?.()
    this.#cancelDeadline = this.#host.clock.schedule(
      () => {
        if (this.isPast()) return this.giveUp('deadline')
        if (this.#wasSuspended()) this.#host.resumed()
        this.#armDeadline()
      },
      // Often enough to notice a suspension, in which the timers stood still and the deadline came nearer.
      Math.max(Math.min(this.remainingMs(), this.#marginMs / 2), 1),
    )
  }

  /** Since the last heartbeat was sent, by whichever clock went further. */
  #goneMs(term: Term): number {
    const { clock } = this.#host
    return Math.max(clock.monotonic() - term.sentMonotonic, clock.uptime() - term.sentUptime)
  }

  /** Since the last heartbeat was sent. */
  #wasSuspended(): boolean {
    const { clock } = this.#host
    const term = this.#term
    if (term === undefined) return false
    return clock.uptime() - term.sentUptime > clock.monotonic() - term.sentMonotonic + SUSPENDED_MS
  }

  #sent(): Sent {
    const { clock } = this.#host
    return { sentMonotonic: clock.monotonic(), sentUptime: clock.uptime() }
  }

  #newId(): HolderId {
    const { random, label } = this.#host
    return `${label}-${randomId(random)}${this.#opened++ === 0 ? '' : `-${this.#opened}`}` as HolderId
  }
}
