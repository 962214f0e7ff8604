import { closeSync, fstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'

/** What every line about a run says. */
export interface OfRun {
  readonly repository: string
  readonly run: string
  /** Pairs what was asked with what came of it; unique over all processes. */
  readonly call: number
}

/** What somebody saw, before its time is added. `by` is a process: a worker and its how-manieth life, or `conductor`. */
export type Said =
  | { readonly event: 'opened' | 'idle' | 'ended' }
  | (OfRun & {
      readonly event: 'asked'
      readonly mode: 'try' | 'wait' | 'enqueue'
      readonly priority: number
    })
  /** Somebody was told that the run is durably there; somebody saw it in the queue. */
  | (OfRun & { readonly event: 'enqueued' | 'queued' })
  | (OfRun & { readonly event: 'refused' | 'failed'; readonly reason: string })
  /** A slot is in hand. `held`: it was, read after the time of the line. `until`: and surely will be for so long without a heartbeat. */
  | (OfRun & {
      readonly event: 'granted'
      readonly lease: string
      readonly token: string
      readonly number: number | undefined
      readonly holder: string | undefined
      readonly again: boolean
      readonly adopted: boolean
      readonly held: boolean
      readonly until: number
    })
  /** The body is over, and a release begins now. `sure`: writes to the resource after which the slot was held still. */
  | (OfRun & {
      readonly event: 'over'
      readonly lease: string
      readonly held: boolean
      readonly sure: readonly number[]
    })
  /** The run is ended by its name, whoever has its slot by then. */
  | (OfRun & { readonly event: 'finishing'; readonly lease: string })
  | (OfRun & { readonly event: 'lost'; readonly lease: string; readonly reason: string })
  | (OfRun & { readonly event: 'released'; readonly lease: string; readonly outcome: string })
  /** A holder surely lives for so long without another heartbeat. */
  | { readonly event: 'term'; readonly holder: string; readonly until: number }
  | { readonly event: 'holder-lost'; readonly holder: string; readonly reason: string }
  | { readonly event: 'error'; readonly what: string; readonly code: string }
  | { readonly event: 'blocked' | 'unblocked' }
  /** By the conductor: a fault begins, or what it changed is as before. */
  | { readonly event: 'fault' | 'healed'; readonly kind: FaultKind; readonly victim: string | undefined }
  | {
      readonly event: 'limit-asked' | 'limit-answered'
      readonly call: number
      readonly repository: string
      readonly limit: number
    }
  | {
      readonly event: 'found'
      readonly repository: string
      readonly run: string
      readonly as: 'waiting' | 'slot' | 'ended' | 'absent'
    }

/** `kill`: -9. `stop`: SIGSTOP past the TTL. `block`: an event loop that does nothing past the TTL. `lock`, `full`: of the store. */
export type FaultKind = 'kill' | 'stop' | 'block' | 'limit' | 'lock' | 'full'

/** A line of the log: who saw what, when. Times are ms of the machine's monotonic clock, which all processes share. */
export type TortureLine = Said & { readonly at: number; readonly by: string }

/** One write to the resource that all bodies share: it takes no token lower than one that it has seen for the same slot number. */
export interface FenceWrite {
  readonly by: string
  readonly repository: string
  readonly number: number
  readonly token: string
  readonly write: number
}

/** Now, in ms of the clock that all processes of the machine share. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

/** Opens a file for appending. A line is one write at the file's end, so lines of several processes never mix. */
export function appender<T extends object>(path: string): (line: T) => void {
  const file = openSync(path, 'a')
  return (line) => void writeSync(file, `${JSON.stringify(line)}\n`)
}

/** All whole lines of a file. */
export function readLines<T>(path: string): T[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  lines.pop()
  return lines.map((line) => JSON.parse(line) as T)
}

/** Reads a file of lines as it grows. */
export class Tail<T> {
  readonly #file: number
  #offset = 0
  #rest = Buffer.alloc(0)

  constructor(path: string) {
    this.#file = openSync(path, 'a+')
  }

  /** The whole lines that have come since the last call. */
  read(): T[] {
    const buffer = Buffer.alloc(Math.max(0, fstatSync(this.#file).size - this.#offset))
    const length = readSync(this.#file, buffer, 0, buffer.length, this.#offset)
    this.#offset += length
    const all = Buffer.concat([this.#rest, buffer.subarray(0, length)])
    const end = all.lastIndexOf(10) + 1
    this.#rest = all.subarray(end)
    return all
      .toString('utf8', 0, end)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as T)
  }

  close(): void {
    closeSync(this.#file)
  }
}
