import {
  isSlotkeeperError,
  ManagerClosedError,
  type SlotkeeperError,
  StoreError,
} from '@slotkeeper/core/driver'
import { isBusy } from './failure.ts'

/** Pauses between tries for a lock that somebody else holds, each with a random part: short ones while commits explain it. */
const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 16
const SHORT_PAUSES = 30

interface Turn {
  readonly work: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  readonly deadline: number
  readonly leave: () => void
}

/**
 * Who writes when. Work runs at once when the file is free. When another process has it, work queues here and is tried again after
 * short pauses in which the event loop is free, in the order in which it came.
 */
export class Turns {
  readonly #path: string
  readonly #lockTimeoutMs: number
  readonly #fail: (error: unknown) => SlotkeeperError
  #queue: Turn[] = []
  #timer: NodeJS.Timeout | undefined
  #tries = 0

  constructor(options: { path: string; lockTimeoutMs: number; fail: (error: unknown) => SlotkeeperError }) {
    this.#path = options.path
    this.#lockTimeoutMs = options.lockTimeoutMs
    this.#fail = options.fail
  }

  /**
   * Runs `work`, at once if possible; `overtake` lets it not queue behind others, for a reader needs no lock that they wait for. It must
   * undo everything when it throws a busy error, for then it runs again.
   * @throws StoreError `SLOTKEEPER_STORE_BUSY` when the lock timeout is over or the signal aborts first
   */
  take<T>(work: () => T, signal: AbortSignal | undefined, overtake = false): T | Promise<T> {
    if (signal?.aborted) throw endedBefore(signal.reason)
    if (overtake || this.#queue.length === 0) {
      try {
        return work()
      } catch (error) {
        if (!isBusy(error)) throw this.#fail(error)
      }
    }
    return this.#wait(work, signal)
  }

  /** Ends all that wait. */
  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const turn of this.#queue.splice(0)) {
      turn.leave()
      turn.reject(new ManagerClosedError('The SQLite driver was closed while the call waited for the file.'))
    }
  }

  #wait<T>(work: () => T, signal: AbortSignal | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const abort = () => {
        const at = this.#queue.indexOf(turn)
        if (at >= 0) this.#queue.splice(at, 1)
        reject(this.#gaveUp(signal?.reason))
      }
      const turn: Turn = {
        work,
        resolve: resolve as (value: unknown) => void,
        reject,
        deadline: performance.now() + this.#lockTimeoutMs,
        leave: () => signal?.removeEventListener('abort', abort),
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#queue.push(turn)
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#queue.length === 0) return
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, this.#tries - SHORT_PAUSES), LONGEST_PAUSE_MS)
    // Not unref'd: somebody awaits a call under way.
    this.#timer = setTimeout(() => this.#try(), pause * (0.5 + Math.random() / 2))
  }

  #try(): void {
    this.#timer = undefined
    this.#tries++
    while (this.#queue.length > 0) {
      const turn = this.#queue[0] as Turn
      try {
        const value = turn.work()
        this.#tries = 0
        this.#done(turn)
        turn.resolve(value)
      } catch (error) {
        if (isBusy(error)) break
        this.#done(turn)
        turn.reject(this.#fail(error))
      }
    }
    const now = performance.now()
    for (const turn of this.#queue.filter((waiting) => waiting.deadline <= now)) {
      this.#done(turn)
      turn.reject(this.#gaveUp(undefined))
    }
    this.#schedule()
  }

  #done(turn: Turn): void {
    this.#queue.splice(this.#queue.indexOf(turn), 1)
    turn.leave()
  }

  #gaveUp(reason: unknown): StoreError {
    return new StoreError(
      'SLOTKEEPER_STORE_BUSY',
      `The store ${this.#path} was kept locked by another process until the call had to end. Find out who keeps it locked.`,
      reason,
    )
  }
}

function endedBefore(reason: unknown): SlotkeeperError {
  if (isSlotkeeperError(reason)) return reason
  return new StoreError(
    'SLOTKEEPER_STORE_UNAVAILABLE',
    'The call was ended before it began; nothing was tried.',
    reason,
  )
}
