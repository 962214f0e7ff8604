import { backOffMs, type Entry } from './batcher.ts'
import type { CallLimits, Limited } from './call-limits.ts'
import type { CallList } from './call-list.ts'
import { type CallOptions, pause } from './call-options.ts'
import type { Clock } from './clock.ts'
import type { Command } from './commands.ts'
import { CallTimeoutError, isSlotkeeperError, type SlotkeeperError } from './errors.ts'
import type { HolderId } from './keys.ts'

/** The outcome that a kind of command gets. */
export type OutcomeOf<C extends Command> = Outcomes[C['kind']]

type Outcomes = { [C in Command as C['kind']]: NonNullable<C['outcome']> }

/** What a call needs of the Manager that makes it. */
export interface CallHost {
  readonly clock: Clock
  readonly random: () => number
  readonly callTimeoutMs: number
  readonly closing: AbortSignal
  readonly asking: CallLimits
  /** The store is open and, if one is needed, there is a holder; at once where it was so before. `now` on the monotonic clock. */
  ready(needsHolder: boolean, now: number): HolderId | undefined | Promise<HolderId | undefined>
  /** Store time after which a command that has so long to go is refused. */
  validUntil(timeoutMs: number, now: number): number
  /** Takes an entry along with the next batch of its domain. */
  send(entry: Entry): void
  /** The store calls this holder dead. */
  holderDead(holder: HolderId | undefined): void
  /** Resolves when the store has heard the end of what such an outcome gives; `undefined`: it is not about to end. */
  endingOf(command: Command, outcome: Command['outcome']): Promise<void> | undefined
  /** An attempt failed in a way that passes. */
  failed(command: Command, attempt: number, error: SlotkeeperError): void
  /** An attempt may have been committed although it seemed to fail. */
  doubted(): void
}

/**
 * One command on its way to the store and back. After failures that pass it is asked again, with the same ticket, until its time is over: a
 * commit of unknown outcome is found out that way. Every attempt has a command of its own, since a driver may write the outcome of one
 * that was given up.
 */
export class StoreCall<C extends Command> implements Entry, Limited {
  readonly until: number
  readonly promise: Promise<OutcomeOf<C>>
  /** The present attempt's. */
  command: C
  limitedAt = -1
  /** What it belongs to, if it may not be passed. */
  readonly list: CallList | undefined
  readonly #host: CallHost
  readonly #asked: C
  readonly #timeoutMs: number
  #resolve!: (outcome: OutcomeOf<C>) => void
  #reject!: (error: unknown) => void
  #leave: (() => void) | undefined
  #attempt = 0
  #failure: SlotkeeperError | undefined

  /** Begins it. */
  constructor(host: CallHost, asked: C, options: CallOptions | undefined, list?: CallList) {
    const now = host.clock.monotonic()
    this.#host = host
    this.list = list
    this.#asked = asked
    this.#timeoutMs = options?.timeoutMs ?? host.callTimeoutMs
    this.until = now + this.#timeoutMs
    this.command = { ...asked, outcome: undefined }
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    list?.begin(this)
    host.asking.begin(this, this.#timeoutMs)
    const signal = options?.signal
    if (signal !== undefined) this.#listen(signal)
    if (this.limitedAt >= 0) this.#send(now)
  }

  get ticket(): string {
    return this.#asked.ticket
  }

  /** The outcome of the present attempt is written. */
  resolve(): void {
    if (this.limitedAt < 0) return
    const outcome = this.command.outcome as OutcomeOf<C>
    const ending = this.#host.endingOf(this.#asked, outcome)
    if (outcome.kind === 'too-late') this.reject(this.#expired())
    else if (outcome.kind === 'holder-dead') void this.#again()
    else if (ending !== undefined) void this.#again(ending)
    else if (this.#end()) {
      // What an earlier attempt brought about besides its outcome was told to nobody.
      if (this.#failure !== undefined) this.#host.doubted()
      this.#resolve(outcome)
    }
  }

  /** The present attempt failed. */
  reject(error: unknown): void {
    if (this.limitedAt < 0) return
    if (!isSlotkeeperError(error) || !error.retryable) this.abort(error)
    else if (
      isSlotkeeperError(error, 'SLOTKEEPER_CALL_TIMEOUT') &&
      this.#host.clock.monotonic() >= this.until
    )
      this.abort(this.#failure ?? error)
    else void this.#again(error)
  }

  expire(): void {
    this.abort(this.#failure ?? this.#expired())
  }

  /** Nobody waits for the answer any more. */
  abort(reason: unknown): void {
    if (this.#end()) this.#reject(reason)
  }

  #send(now: number): void {
    try {
      const ready = this.#host.ready('holder' in this.command, now)
      if (ready instanceof Promise)
        ready.then(
          (holder) => this.#go(holder, this.#host.clock.monotonic()),
          (error) => this.reject(error),
        )
      else this.#go(ready, now)
    } catch (error) {
      this.reject(error)
    }
  }

  #go(holder: HolderId | undefined, now: number): void {
    // Once the call is over nothing may go out any more: its withdrawal may have gone out already.
    if (this.limitedAt < 0) return
    const { command } = this
    if ('holder' in command) {
      command.holder = holder as HolderId
      command.validUntil = this.#host.validUntil(this.#timeoutMs, now)
    }
    this.#host.send(this)
  }

  /** Asks again after a pause, or when what it would be given has ended; without a reason because the holder was dead. */
  async #again(reason?: SlotkeeperError | Promise<void>): Promise<void> {
    const { clock, random, closing } = this.#host
    try {
      if (reason === undefined) this.#host.holderDead((this.command as { holder?: HolderId }).holder)
      else if (!(reason instanceof Promise)) {
        this.#failure = reason
        this.#host.failed(this.#asked, this.#attempt, reason)
      }
      const waitMs = backOffMs(this.#attempt, random)
      if (clock.monotonic() + waitMs >= this.until) return this.expire()
      const wait = () => (reason instanceof Promise ? reason : pause(clock, waitMs, closing))
      if (this.list === undefined) await wait()
      else await this.list.others(this, wait)
      if (this.limitedAt < 0) return this.list?.over(this)
      this.#attempt++
      this.command = { ...this.#asked, outcome: undefined }
      this.#send(clock.monotonic())
    } catch (thrown) {
      this.abort(thrown)
    }
  }

  #listen(signal: AbortSignal): void {
    if (signal.aborted) return this.abort(signal.reason)
    const abort = () => this.abort(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    this.#leave = () => signal.removeEventListener('abort', abort)
  }

  /** @returns true for the first to ask, false once it was over */
  #end(): boolean {
    if (!this.#host.asking.end(this)) return false
    this.#leave?.()
    this.list?.over(this)
    return true
  }

  #expired(): CallTimeoutError {
    return new CallTimeoutError(nameOf(this.#asked), this.#timeoutMs)
  }
}

function nameOf(command: Command): string {
  return `${command.kind} ${command.repository}${'run' in command ? ` ${command.run}` : ''}`
}
