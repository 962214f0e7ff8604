import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'

/** Standard output or standard error, written to synchronously, so that nothing is lost when the process exits. */
export interface Output {
  readonly isTerminal: boolean
  /** Colours are wanted: a terminal, and the user did not say NO_COLOR (https://no-color.org). */
  readonly hasColours: boolean
  /** How wide a line may be. */
  readonly columns: number
  write(text: string): void
  /**
   * Writes without holding up the process while the reader is slow; the next text waits for this one.
   * @returns false when nobody reads any more, or when the signal aborts first
   */
  send(text: string, signal: AbortSignal): Promise<boolean>
}

/** Nobody reads any more (`slotkeeper status | head`): not a failure of ours. */
const GONE = new Set(['EPIPE', 'EIO', 'EBADF', 'ENXIO', 'ERR_STREAM_DESTROYED'])
const SOMETIME_MS = 5

/** The output with this file descriptor. */
export function output(fd: 1 | 2, env: NodeJS.ProcessEnv = process.env): Output {
  const isTerminal = isatty(fd) && env.TERM !== 'dumb'
  return {
    isTerminal,
    hasColours: isTerminal && (env.NO_COLOR ?? '') === '',
    get columns() {
      return (isTerminal ? (fd === 1 ? process.stdout : process.stderr).columns : undefined) ?? 80
    },
    write: (text) => writeAll(fd, Buffer.from(text)),
    send: (text, signal) => sendAll(fd === 1 ? process.stdout : process.stderr, text, signal),
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  let from = 0
  while (from < bytes.length) {
    try {
      from += writeSync(fd, bytes, from)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== undefined && GONE.has(code)) return
      // Whoever shares the pipe has made it non-blocking, and it is full.
      if (code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SOMETIME_MS)
    }
  }
}

function sendAll(stream: NodeJS.WriteStream, text: string, signal: AbortSignal): Promise<boolean> {
  // Each failure reaches the callback below; the event that the stream emits as well would end the process.
  if (stream.listenerCount('error') === 0) stream.on('error', () => {})
  return new Promise((resolve, reject) => {
    const stop = () => resolve(false)
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop, { once: true })
    stream.write(text, (error: NodeJS.ErrnoException | null | undefined) => {
      signal.removeEventListener('abort', stop)
      if (error == null) resolve(true)
      else if (error.code !== undefined && GONE.has(error.code)) resolve(false)
      else reject(error)
    })
  })
}
