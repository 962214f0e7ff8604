import { cpus, loadavg } from 'node:os'
import { median, spreadOf } from './statistics.ts'

const STRETCHES = 9
const LOOPS = 12_000_000

/** What the machine did besides: its load, and how long a loop takes that never changes, at the start and again at the end. */
export class Noise {
  readonly #first: readonly number[]
  readonly #load: string

  private constructor() {
    this.#load = load()
    this.#first = calibrate()
  }

  static begin(): Noise {
    return new Noise()
  }

  /** To be told before the first case. */
  opening(): string {
    return `Node ${process.version}, ${cpus().length} CPUs (${cpus()[0]?.model ?? 'unknown'}), load ${this.#load}; calibration loop ${told(this.#first)}`
  }

  /** To be told after the last case. */
  closing(): string {
    const last = calibrate()
    const change = Math.round((median(last) / median(this.#first) - 1) * 100)
    return `load now ${load()}; calibration loop ${told(last)}, ${change >= 0 ? '+' : ''}${change} % since the start`
  }
}

function load(): string {
  return loadavg()
    .map((value) => value.toFixed(2))
    .join(' ')
}

function told(times: readonly number[]): string {
  return `${median(times).toFixed(1)} ms (spread ${Math.round(spreadOf(times) * 100)} %)`
}

/** A loop of integer work without memory: only other work on the same core, or a clock that throttles, changes its time. */
function calibrate(): number[] {
  const times: number[] = []
  for (let stretch = 0; stretch < STRETCHES; stretch++) {
    const start = performance.now()
    let state = 1
    for (let i = 0; i < LOOPS; i++) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
    }
    // Used, so that the loop cannot be left out.
    if (state === 0) throw new Error('A xorshift never comes to 0.')
    times.push(performance.now() - start)
  }
  return times.slice(1)
}
