import type { SimulatedProcess } from './simulated-process.ts'

/** Something that happens at a moment of virtual time. */
export interface Happening {
  readonly at: number
  readonly order: number
  readonly run: () => void
  /** The process in which it happens; `undefined` in the world outside. */
  readonly of: SimulatedProcess | undefined
  /** Sets off no promise, so nothing has to run to its end before the next one. */
  readonly quiet: boolean
  cancelled: boolean
}

/** Ends a microtask queue that feeds itself for ever: then the process that runs this would hang. */
const settle = () => new Promise<void>((resolve) => process.nextTick(resolve))

/**
 * Virtual time, and everything that is going to happen in it. One thing happens at a time; what it sets off in promises runs to its
 * end before the next one, for `process.nextTick` comes only when no microtask is left. So the order of everything is the seed's.
 */
export class Scheduler {
  now = 0
  /** How many things happened. */
  count = 0
  /** In whose process something happens at the moment. */
  current: SimulatedProcess | undefined
  #heap: Happening[] = []
  #order = 0

  at(at: number, run: () => void, of?: SimulatedProcess, quiet = false): Happening {
    const happening = { at: Math.max(at, this.now), order: this.#order++, run, of, quiet, cancelled: false }
    this.#push(happening)
    return happening
  }

  after(ms: number, run: () => void, of?: SimulatedProcess, quiet = false): Happening {
    return this.at(this.now + ms, run, of, quiet)
  }

  /** Lets time pass until `until`, or until `enough` says so. */
  async run(until: number, enough: () => boolean = () => false): Promise<void> {
    await settle()
    for (let next = this.#heap[0]; next !== undefined && next.at <= until; next = this.#heap[0]) {
      this.#pop()
      const { of, cancelled } = next
      if (cancelled || of?.dead === true) continue
      if (next.at > this.now) this.now = next.at
      if (of?.isPaused) {
        of.defer(next)
        continue
      }
      this.count++
      this.current = of
      next.run()
      if (!next.quiet) await settle()
      this.current = undefined
      if (enough()) return
    }
    this.now = Math.max(this.now, until)
  }

  #push(item: Happening): void {
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as Happening
      if (!isBefore(item, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = item
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as Happening
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Happening, heap[child] as Happening)) child++
      const below = heap[child] as Happening
      if (!isBefore(below, last)) break
      heap[at] = below
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

/**
 * Has `setImmediate` happen in virtual time while `work` runs. Nothing else of the surrounding process runs meanwhile, for the event
 * loop does not turn.
 */
export async function owningImmediates<T>(scheduler: Scheduler, work: () => Promise<T>): Promise<T> {
  const real = globalThis.setImmediate
  const owned = (run: (...args: unknown[]) => void, ...args: unknown[]) =>
    scheduler.after(0, () => run(...args), scheduler.current)
  globalThis.setImmediate = owned as unknown as typeof setImmediate
  try {
    return await work()
  } finally {
    globalThis.setImmediate = real
  }
}
