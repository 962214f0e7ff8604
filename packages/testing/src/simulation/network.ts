import { StoreError } from '@slotkeeper/core/driver'
import type { Random } from '../conformance/random.ts'
import type { Call, Coverage, Fault } from './coverage.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** Faults of the way between one process and the store; each until some moment. */
export type WireFault = Extract<
  Fault,
  'partition' | 'deaf' | 'lost-request' | 'lost-answer' | 'duplicate' | 'delay' | 'hint-dropped' | 'hint-late'
>

/** What the wires of a world are like. */
export interface WireTraits {
  /** A message takes half to one and a half of it. */
  readonly latencyMs: number
  /** The most that a fault adds. */
  readonly delayMs: number
}

/** Whether the store answers, shared by all wires. */
export interface StoreSwitch {
  up: boolean
}

interface Underway {
  readonly calls: readonly Call[]
}

/** The way between one process and the store: every message takes time, and the seed decides what becomes of it. */
export class Wire {
  readonly of: SimulatedProcess
  readonly random: Random
  readonly #scheduler: Scheduler
  readonly #traits: WireTraits
  readonly #store: StoreSwitch
  readonly #coverage: Coverage
  readonly #until = new Map<WireFault, number>()
  /** Faults that meet every message. */
  readonly #sure = new Map<WireFault, number>()
  readonly #trap: (wire: Wire, calls: readonly Call[]) => void
  readonly #underway = new Set<Underway>()
  readonly #tracing: boolean
  /** Told of what became of a message. */
  readonly #log: (text: string) => void

  constructor(
    of: SimulatedProcess,
    options: {
      random: Random
      scheduler: Scheduler
      traits: WireTraits
      store: StoreSwitch
      coverage: Coverage
      tracing: boolean
      trap: (wire: Wire, calls: readonly Call[]) => void
      log: (text: string) => void
    },
  ) {
    this.of = of
    this.random = options.random
    this.#scheduler = options.scheduler
    this.#traits = options.traits
    this.#store = options.store
    this.#coverage = options.coverage
    this.#tracing = options.tracing
    this.#log = options.log
    this.#trap = options.trap
  }

  put(fault: WireFault, ms: number): void {
    this.#until.set(fault, this.#scheduler.now + ms)
  }

  /** The same, meeting every message. */
  putSurely(fault: WireFault, ms: number): void {
    this.put(fault, ms)
    this.#sure.set(fault, this.#scheduler.now + ms)
  }

  /** Springs what waits for such a call. */
  trap(calls: readonly Call[]): void {
    this.#trap(this, calls)
  }

  heal(): void {
    this.#sure.clear()
    this.#until.clear()
  }

  has(fault: WireFault): boolean {
    return (this.#until.get(fault) ?? 0) > this.#scheduler.now
  }

  /** The fault is there and takes this message. */
  strikes(fault: WireFault, calls: readonly Call[], probability = 0.6): boolean {
    if (!this.has(fault)) return false
    const sure = (this.#sure.get(fault) ?? 0) > this.#scheduler.now
    if (!sure && !this.random.chance(probability)) return false
    this.met(fault, calls)
    return true
  }

  met(fault: Fault, calls: readonly Call[]): void {
    this.#coverage.add(fault, calls)
    if (this.#tracing) this.#log(`${this.of.name}: ${fault} meets ${calls.join('+')}`)
  }

  /** Something happened to the process while these calls were under way. */
  interrupted(fault: Fault): void {
    for (const { calls } of this.#underway) this.#coverage.add(fault, calls)
  }

  latency(): number {
    return this.#traits.latencyMs * (0.5 + this.random.next())
  }

  extraDelay(): number {
    return this.#traits.delayMs * (0.1 + 0.9 * this.random.next())
  }

  /**
   * Sends a request. `work` is done where it arrives; the promise settles in the process when the answer does, and never when either
   * is lost and nobody tells.
   */
  request<T>(calls: readonly Call[], work: () => T, signal?: AbortSignal): Promise<T> {
    const underway: Underway = { calls }
    this.trap(calls)
    if (this.#tracing) this.#log(`${this.of.name} → ${calls.join('+')}`)
    return new Promise<T>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      let open = true
      const abort = () => finish(() => reject(signal?.reason))
      const finish = (settle: () => void) => {
        if (!open) return
        open = false
        this.#underway.delete(underway)
        signal?.removeEventListener('abort', abort)
        settle()
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#underway.add(underway)
      /** An error that the process hears of, or silence until it gives up. */
      const lose = () => {
        if (this.random.chance(0.5))
          this.#scheduler.after(2 * this.latency(), () => finish(() => reject(unavailable())), this.of)
      }
      const arrive = () => {
        if (!this.#store.up) {
          this.met('outage', calls)
          return lose()
        }
        let settle: () => void
        try {
          const answer = work()
          settle = () => resolve(answer)
        } catch (error) {
          settle = () => reject(error)
        }
        if (this.has('partition') || this.has('deaf')) {
          this.met(this.has('partition') ? 'partition' : 'deaf', calls)
          return lose()
        }
        if (this.strikes('lost-answer', calls)) return lose()
        this.#scheduler.after(this.#delayed(calls), () => finish(settle), this.of)
      }
      if (this.has('partition')) {
        this.met('partition', calls)
        lose()
      } else if (this.strikes('lost-request', calls)) lose()
      else this.#scheduler.after(this.#delayed(calls), arrive, undefined, true)
    })
  }

  #delayed(calls: readonly Call[]): number {
    return this.latency() + (this.strikes('delay', calls, 0.4) ? this.extraDelay() : 0)
  }
}

function unavailable(): StoreError {
  return new StoreError('SLOTKEEPER_STORE_UNAVAILABLE', 'The simulated connection broke.')
}
