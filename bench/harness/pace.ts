import type { Context, Sample } from './case.ts'

/** Counts pairs until the time is over. A loop asks `goesOn()` before each of its pairs. */
export class Pace {
  #count = 0
  #over = false
  #untilLook: number
  readonly #every: number
  readonly #end: number

  /** @param every after how many pairs the clock is read */
  constructor(ms: number, every: number) {
    this.#every = every
    this.#untilLook = every
    this.#end = performance.now() + ms
  }

  get count(): number {
    return this.#count
  }

  goesOn(): boolean {
    if (this.#over) return false
    if (--this.#untilLook === 0) {
      this.#untilLook = this.#every
      this.#over = performance.now() >= this.#end
      if (this.#over) return false
    }
    this.#count++
    return true
  }
}

/** How a rate is taken. */
export interface PaceOptions {
  /** How many loops run at once; default 1. */
  readonly loops?: number
  /** After how many pairs the clock is read; default 512. */
  readonly every?: number
  /** Seconds; default 1, with `--quick` a fifth. Half of it more is for warming up. */
  readonly seconds?: number
}

/** Pairs a second of `loop`, which does pairs for as long as its pace goes on; first without counting, until its code is compiled. */
export async function paceOf(
  { quick }: Context,
  loop: (pace: Pace, at: number) => Promise<void>,
  { loops = 1, every = 512, seconds = 1 }: PaceOptions = {},
): Promise<Sample> {
  const ms = seconds * (quick ? 200 : 1000)
  const go = (pace: Pace) => Promise.all(Array.from({ length: loops }, (_, at) => loop(pace, at)))
  await go(new Pace(ms / 2, every))
  globalThis.gc?.()
  const pace = new Pace(ms, every)
  const start = performance.now()
  await go(pace)
  return { rate: (pace.count / (performance.now() - start)) * 1000 }
}
