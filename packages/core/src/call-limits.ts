import type { Cancel, Clock } from './clock.ts'

/** A call under way: what ends it before its time. */
interface Call {
  /** On the monotonic clock. */
  readonly until: number
  readonly expired: () => unknown
  readonly reject: (reason: unknown) => void
  readonly leave: (() => void) | undefined
}

/** Ends the wait for a call's answer: true for the first to ask, false once the call was over. */
export type End = () => boolean

/**
 * The limits of many calls with one timer and one listener, however many are under way: a call may cost less than a timer of its own.
 * The timer is for the earliest of them, and is left alone when that one is answered.
 */
export class CallLimits {
  readonly #clock: Clock
  readonly #closing: AbortSignal
  readonly #calls = new Set<Call>()
  #timedFor = Number.POSITIVE_INFINITY
  #cancel: Cancel | undefined

  constructor(clock: Clock, closing: AbortSignal) {
    this.#clock = clock
    this.#closing = closing
    closing.addEventListener('abort', () => this.#close(), { once: true })
  }

  /**
   * Rejects with what `expired` makes once `ms` are over, or with the reason of the signal or of the closing, unless the call was ended
   * before.
   */
  begin(limits: {
    readonly ms: number
    readonly expired: () => unknown
    readonly signal: AbortSignal | undefined
    readonly reject: (reason: unknown) => void
  }): End {
    const { ms, expired, signal, reject } = limits
    const aborted = this.#closing.aborted ? this.#closing : signal
    if (aborted?.aborted) {
      reject(aborted.reason)
      return () => false
    }
    const abort = () => this.#end(call) && reject(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    const leave = signal && (() => signal.removeEventListener('abort', abort))
    const call: Call = { until: this.#clock.monotonic() + ms, expired, reject, leave }
    this.#calls.add(call)
    if (call.until < this.#timedFor) this.#arm(call.until, ms)
    return () => this.#end(call)
  }

  #end(call: Call): boolean {
    if (!this.#calls.delete(call)) return false
    call.leave?.()
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
    for (const call of [...this.#calls]) {
      if (call.until > now) next = Math.min(next, call.until)
      else if (this.#end(call)) call.reject(call.expired())
    }
    // Whoever was rejected may have begun another call, which armed the timer for itself.
    if (next < this.#timedFor) this.#arm(next, next - now)
  }

  #close(): void {
    this.#cancel?.()
    for (const call of [...this.#calls]) if (this.#end(call)) call.reject(this.#closing.reason)
  }
}
