import type { Cancel, Clock, Manager } from '@slotkeeper/core'
import type { Happening, Scheduler } from './scheduler.ts'

/** How far from the truth the clocks of a process are. */
export interface ClockError {
  /** What the monotonic clock shows at the start of the world. */
  readonly offsetMs: number
  /** Its milliseconds for each true one. */
  readonly rate: number
  /** What the wall clock is off by, which must not matter. */
  readonly wallMs: number
}

/** One life of a process: its clocks, its pauses and its death. */
export class SimulatedProcess {
  readonly name: string
  /** Its place among the processes; the next life has the same. */
  readonly index: number
  readonly clock: Clock
  readonly scheduler: Scheduler
  manager!: Manager
  dead = false
  /** Timers that are set, and promises to stay alive. */
  timers = 0
  kept = 0
  /** Some fault met it. */
  touched = false
  /** Some call of it failed, or may have: then it may be pausing before it asks again. */
  failed = false
  /** True ms in which it did not run. */
  pausedMs = 0
  /** When it last began to run again. */
  resumedAt = Number.NEGATIVE_INFINITY
  readonly #error: ClockError
  #pauses = 0
  #pausedSince = 0
  #suspensions = 0
  #suspendedSince = 0
  #suspendedMs = 0
  #deferred: Happening[] = []

  constructor(name: string, index: number, scheduler: Scheduler, error: ClockError) {
    this.name = name
    this.index = index
    this.scheduler = scheduler
    this.#error = error
    this.clock = {
      monotonic: () => this.#monotonic(),
      // The kernel tells the uptime in hundredths of a second.
      uptime: () => Math.floor((error.offsetMs + error.rate * this.scheduler.now) / 10) * 10,
      wall: () => Date.UTC(2026, 0, 1) + this.scheduler.now + error.wallMs,
      schedule: (ring, ms) => this.#schedule(ring, ms),
      keepAlive: () => this.#keepAlive(),
    }
  }

  get isPaused(): boolean {
    return this.#pauses > 0
  }

  /** Ms for which it did not run up to now. */
  get stoodStillMs(): number {
    return this.pausedMs + (this.#pauses > 0 ? this.scheduler.now - this.#pausedSince : 0)
  }

  /** Kept for when it runs again. */
  defer(happening: Happening): void {
    this.#deferred.push(happening)
  }

  /** Its clocks go on and nothing of it runs: SIGSTOP, or a blocked loop. */
  stall(ms: number): void {
    this.#pause()
    this.scheduler.after(ms, () => this.#resume(), undefined, true)
  }

  /** The machine is suspended: its monotonic clock stands still, its uptime goes on. */
  suspend(ms: number): void {
    this.#pause()
    if (this.#suspensions++ === 0) this.#suspendedSince = this.scheduler.now
    this.scheduler.after(
      ms,
      () => {
        if (--this.#suspensions === 0) this.#suspendedMs += this.scheduler.now - this.#suspendedSince
        this.#resume()
      },
      undefined,
      true,
    )
  }

  die(): void {
    this.dead = true
    this.#deferred = []
  }

  /** Called first when it runs again. */
  onResume: () => void = () => {}

  #pause(): void {
    if (this.#pauses++ === 0) this.#pausedSince = this.scheduler.now
  }

  #resume(): void {
    if (--this.#pauses > 0 || this.dead) return
    this.pausedMs += this.scheduler.now - this.#pausedSince
    this.resumedAt = this.scheduler.now
    this.scheduler.at(this.scheduler.now, () => this.onResume(), this)
    const deferred = this.#deferred
    this.#deferred = []
    for (const happening of deferred)
      if (!happening.cancelled)
        this.scheduler.at(
          this.scheduler.now,
          () => {
            if (!happening.cancelled) happening.run()
          },
          this,
        )
  }

  #monotonic(): number {
    const { now } = this.scheduler
    const still = this.#suspendedMs + (this.#suspensions > 0 ? now - this.#suspendedSince : 0)
    return this.#error.offsetMs + this.#error.rate * (now - still)
  }

  #schedule(ring: () => void, ms: number): Cancel {
    const due = this.#monotonic() + Math.max(ms, 0)
    let set = true
    let happening: Happening
    const arm = () => {
      happening = this.scheduler.after((due - this.#monotonic()) / this.#error.rate, rung, this)
    }
    const rung = () => {
      if (!set) return
      // A suspension held up the clock.
      if (this.#monotonic() < due - 0.001) return arm()
      set = false
      this.timers--
      ring()
    }
    this.timers++
    arm()
    return () => {
      if (!set) return
      set = false
      this.timers--
      happening.cancelled = true
    }
  }

  #keepAlive(): Cancel {
    this.kept++
    let kept = true
    return () => {
      if (kept) this.kept--
      kept = false
    }
  }
}
