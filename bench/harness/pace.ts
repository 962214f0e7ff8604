import type { Context, Sample } from './case.ts'

/** The longest that a stretch waits for its CPU time, in lengths of the stretch. */
const MOST_STRETCHES = 5

interface Length {
  readonly ms: number
  /** CPU time that it has to have had as well, on a machine that is busy otherwise. */
  readonly cpuMs: number
  /** After how many pairs the clock is read. */
  readonly every: number
}

/** Counts pairs until the time is over. A loop asks `goesOn()` before each of its pairs. */
export class Pace {
  readonly #length: Length
  readonly #start = performance.now()
  readonly #cpu = process.cpuUsage()
  #count = 0
  #over = false
  #untilLook: number

  constructor(length: Length) {
    this.#length = length
    this.#untilLook = length.every
  }

  goesOn(): boolean {
    if (this.#over) return false
    if (--this.#untilLook === 0) {
      this.#untilLook = this.#length.every
      if (this.#isOver()) {
        this.#over = true
        return false
      }
    }
    this.#count++
    return true
  }

  /** Pairs a second, and a second of CPU time. To be asked once all pairs are done. */
  rates(): { readonly rate: number; readonly cpuRate: number } {
    return {
      rate: (this.#count / (performance.now() - this.#start)) * 1000,
      cpuRate: (this.#count / this.#cpuMs()) * 1000,
    }
  }

  #isOver(): boolean {
    const { ms, cpuMs } = this.#length
    const gone = performance.now() - this.#start
    return gone >= ms && (this.#cpuMs() >= cpuMs || gone >= MOST_STRETCHES * ms)
  }

  #cpuMs(): number {
    const { user, system } = process.cpuUsage(this.#cpu)
    return (user + system) / 1000
  }
}

/** How a rate is taken. */
export interface PaceOptions {
  /** How many loops run at once; default 1. */
  readonly loops?: number
  /** After how many pairs the clock is read; default 512. */
  readonly every?: number
  /** Seconds; default 1, with `--quick` a fifth. */
  readonly seconds?: number
  /** Seconds before them that do not count, until the code is compiled; default half as many. */
  readonly warmingUp?: number
  /** The work waits for nothing, so a stretch is not over before the machine has let it work for most of it. Default true. */
  readonly cpuBound?: boolean
}

/** The rates of `loop`, which does pairs for as long as its pace goes on; first without counting, until its code is compiled. */
export async function paceOf(
  { quick }: Context,
  loop: (pace: Pace, at: number) => Promise<void>,
  { loops = 1, every = 512, seconds = 1, warmingUp = seconds / 2, cpuBound = true }: PaceOptions = {},
): Promise<Sample> {
  const msOf = (time: number) => time * (quick ? 200 : 1000)
  const run = async (length: number) => {
    const pace = new Pace({ ms: length, cpuMs: cpuBound ? length * 0.7 : 0, every })
    await Promise.all(Array.from({ length: loops }, (_, at) => loop(pace, at)))
    return { ...pace.rates() }
  }
  await run(msOf(warmingUp))
  globalThis.gc?.()
  return run(msOf(seconds))
}
