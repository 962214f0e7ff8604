import type { Cancel, Clock } from './clock.ts'
import { InvalidArgumentError } from './errors.ts'

/** Options of every call that may take time. */
export interface CallOptions {
  /** Ends the call with the signal's reason. */
  readonly signal?: AbortSignal
  /** Ends the call after so many ms. Default: the Manager's `callTimeoutMs`; for waits: never. */
  readonly timeoutMs?: number
}

/** @throws InvalidArgumentError for options that cannot be meant */
export function checkCallOptions(options: CallOptions | undefined): void {
  if (options === undefined) return
  const { timeoutMs, signal } = options
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs >= 0))
    throw new InvalidArgumentError(
      `timeoutMs is ${String(timeoutMs)}: it must be a number of milliseconds from 0.`,
    )
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new InvalidArgumentError('signal is not an AbortSignal.')
}

/**
 * Settles with `promise`, or rejects with what `expired` makes once `ms` are over, or with the reason of the first signal that aborts.
 * The promise itself goes on; its late rejection is not an unhandled one.
 */
export function within<T>(
  promise: Promise<T>,
  limits: { clock: Clock; ms: number; expired: () => unknown; signals: readonly (AbortSignal | undefined)[] },
): Promise<T> {
  const { clock, ms, expired, signals } = limits
  promise.catch(() => {})
  return new Promise<T>((resolve, reject) => {
    const undo: Cancel[] = []
    const finish = (settle: () => void) => {
      for (const cancel of undo) cancel()
      settle()
    }
    for (const signal of signals) {
      if (signal === undefined) continue
      if (signal.aborted) return finish(() => reject(signal.reason))
      const abort = () => finish(() => reject(signal.reason))
      signal.addEventListener('abort', abort, { once: true })
      undo.push(() => signal.removeEventListener('abort', abort))
    }
    if (ms !== Number.POSITIVE_INFINITY) undo.push(clock.schedule(() => finish(() => reject(expired())), ms))
    promise.then(
      (value) => finish(() => resolve(value)),
      (error) => finish(() => reject(error)),
    )
  })
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = () => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.schedule(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}
