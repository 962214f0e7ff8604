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
}

/** Nobody reads any more (`slotkeeper status | head`): not a failure of ours. */
const GONE = new Set(['EPIPE', 'EIO', 'EBADF', 'ENXIO'])
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
