import { exitCodeOfSignal } from './run/signal-relay.ts'

const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Aborts at the first signal that asks this process to end; the second one ends it at once. */
export function untilStopped(): AbortSignal {
  const stopping = new AbortController()
  for (const signal of STOPPING)
    process.on(signal, () => {
      if (stopping.signal.aborted) process.exit(exitCodeOfSignal(signal))
      stopping.abort()
    })
  return stopping.signal
}
