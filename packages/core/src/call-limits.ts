import type { Cancel, Clock } from './clock.ts'

/** A call under way: what ends it before its answer. */
export interface Limited {
  readonly ticket: string
  /** On the monotonic clock. */
  readonly until: number
  /** Its place among the calls under way, -1 for none. Kept by `CallLimits`. */
  limitedAt: number
  /** Its time is over. */
  expire(): void
  /** The Manager closes. */
  abort(reason: unknown): void
}

/**
 * The calls under way, and their limits: one timer and one listener however many there are, since a call may cost less than a timer of its
 * own. The timer is for the earliest of them, and is left alone when that one is answered.
 */
export class CallLimits {
  readonly #clock: Clock
  readonly #closing: AbortSignal
  readonly #calls: Limited[] = []
  #timedFor = Number.POSITIVE_INFINITY
  #cancel: Cancel | undefined

  constructor(clock: Clock, closing: AbortSignal) {
    this.#clock = clock
    this.#closing = closing
    closing.addEventListener('abort', () => this.#close(), { once: true })
  }

  get size(): number {
    return this.#calls.length
  }

  /** Whether the call of a ticket is under way. */
  has(ticket: string): boolean {
    return this.#calls.some((call) => call.ticket === ticket)
  }

  /** Takes a call in whose time is over in `ms`; aborts it at once when the Manager has closed. */
  begin(call: Limited, ms: number): void {
    call.limitedAt = this.#calls.length
    this.#calls.push(call)
    if (this.#closing.aborted) return call.abort(this.#closing.reason)
    if (call.until < this.#timedFor) this.#arm(call.until, ms)
  }

  /** @returns true for the first to end it, false once it was over */
  end(call: Limited): boolean {
    const at = call.limitedAt
    if (at < 0) return false
    const last = this.#calls.pop() as Limited
    if (last !== call) {
      last.limitedAt = at
      this.#calls[at] = last
    }
    call.limitedAt = -1
    return true
  }

  #arm(until: number, ms: number): void {
    this.#cancel?.()
    this.#timedFor = until
    this.#cancel = this.#clock.schedule(() => this.#ring(), ms)
  }

  #ring(): void {
    // A timer may ring a little before the clock says so.
    const now = Math.max(this.#clock.monotonic(), this.#timedFor)
    this.#timedFor = Number.POSITIVE_INFINITY
    let next = Number.POSITIVE_INFINITY
    for (const call of this.#calls.slice()) {
      if (call.until > now) next = Math.min(next, call.until)
      else if (call.limitedAt >= 0) call.expire()
    }
    // Whoever was rejected may have begun another call, which armed the timer for itself.
    if (next < this.#timedFor) this.#arm(next, next - now)
  }

  #close(): void {
    this.#cancel?.()
    for (const call of this.#calls.slice()) if (call.limitedAt >= 0) call.abort(this.#closing.reason)
  }
}
