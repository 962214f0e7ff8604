import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'

/**
 * A line of the log that all processes of the demo append to, as JSON. `start` and `end` come from the children, who alone know
 * whether they were at work; the rest is said by those who asked, or killed.
 */
export type LogLine = {
  /** Milliseconds of the machine's monotonic clock, the same in all processes. For people; the order of lines is what proves. */
  readonly at: number
} & (
  | {
      /** A worker is about to ask for a slot. */
      readonly event: 'asked'
      readonly worker: string
      readonly repository: string
      readonly run: string
      readonly priority: number
    }
  | {
      /** A worker has been told that the run waits in the queue. */
      readonly event: 'queued'
      readonly worker: string
      readonly repository: string
      readonly run: string
    }
  | {
      /** A child begins to work. */
      readonly event: 'start'
      readonly worker: string
      readonly repository: string
      readonly run: string
      readonly pid: number
      readonly token: string
      /** Absent without a limit. */
      readonly slot?: number
    }
  | {
      /** A child has worked to its end, or stopped because its worker was gone or had lost the slot. */
      readonly event: 'end'
      readonly outcome: 'done' | 'stopped'
      readonly run: string
      readonly pid: number
    }
  | {
      /** A worker's heartbeats came too late, so that its places in queues are new ones from here on. */
      readonly event: 'holder-lost'
      readonly worker: string
    }
  | {
      /** The demo is about to kill a worker. */
      readonly event: 'kill'
      readonly worker: string
      readonly pid: number
    }
)

/** A line without its time. */
export type Said = LogLine extends infer L ? (L extends unknown ? Omit<L, 'at'> : never) : never

/** Now, in ms of the clock that all processes of the machine share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

/** Opens the log for appending. A line is one write at the file's end, so lines of several processes never mix. */
export function openLog(path: string): (line: Said) => void {
  const file = openSync(path, 'a')
  return (line) => void writeSync(file, `${JSON.stringify({ at: monotonicMs(), ...line })}\n`)
}

/** Reads the log as it grows. */
export class LogReader {
  readonly #file: number
  #offset = 0
  #rest = ''

  constructor(path: string) {
    this.#file = openSync(path, 'a+')
  }

  /** The whole lines that have come since the last call. */
  read(): readonly string[] {
    const buffer = Buffer.alloc(Math.max(0, fstatSync(this.#file).size - this.#offset))
    const length = readSync(this.#file, buffer, 0, buffer.length, this.#offset)
    this.#offset += length
    const lines = (this.#rest + buffer.toString('utf8', 0, length)).split('\n')
    this.#rest = lines.pop() ?? ''
    return lines
  }

  close(): void {
    closeSync(this.#file)
  }
}
