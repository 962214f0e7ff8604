import type { LeaseId, RepositoryKey, RunKey, Slot } from '@slotkeeper/core'
import type { RunRow } from '@slotkeeper/core/driver'
import type { Cause } from './auditor.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { RuleNumber } from './violation.ts'

/** Work under a slot, as it truly goes on. */
export interface Body {
  readonly of: SimulatedProcess
  readonly slot: Slot
  readonly repository: RepositoryKey
  readonly run: RunKey
  readonly lease: LeaseId
  readonly token: bigint
  readonly number: number | undefined
  readonly durable: boolean
  /** The limit at its grant. */
  readonly limit: number
  /** The store ended its slot; by what. */
  freed: Cause | undefined
  /** It runs on although the store gave its slot away: its process stood still, and could not know. */
  stale: boolean
}

/** What bodies ask of the world. */
export interface BodiesHost {
  broken(rule: RuleNumber, message: string): void
  log(text: string): void
  /** By how much a process gives up before the store does. */
  readonly marginMs: number
  /** Who commits at the moment. */
  readonly committer: SimulatedProcess | undefined
}

/**
 * The bodies that truly run, seen from outside of all processes: from the moment at which a Manager hands out a slot until its signal
 * aborts, its owner begins to give it back, or its process dies.
 */
export class Bodies {
  readonly #host: BodiesHost
  readonly #running = new Set<Body>()
  /** What the grants of the store were. */
  readonly #limits = new Map<string, number>()
  /** What a resource that is fenced by slot number saw last. */
  readonly #fences = new Map<string, bigint>()
  readonly #gone = new Map<string, Cause>()
  started = 0

  constructor(host: BodiesHost) {
    this.#host = host
  }

  get running(): ReadonlySet<Body> {
    return this.#running
  }

  /** A token was granted in the store. */
  granted(row: RunRow, limit: number): void {
    this.#limits.set(`${row.repository} ${row.token}`, limit)
  }

  /** A Manager handed out a slot. Nothing begins where it is lost already. */
  begin(of: SimulatedProcess, slot: Slot): Body | undefined {
    const { repository, run, leaseId, fencingToken, slotNumber, durable, signal } = slot
    if (signal.aborted) return undefined
    // Two callers of one process may ask for one durable run; they share its slot.
    for (const other of this.#running)
      if (other.of === of && other.repository === repository && other.token === fencingToken && durable)
        return undefined
    const limit = this.#limits.get(`${repository} ${fencingToken}`)
    if (limit === undefined) {
      this.#host.broken(2, `${of.name} was handed ${run} with token ${fencingToken}, which was never granted`)
      return undefined
    }
    const body: Body = {
      of,
      slot,
      repository,
      run,
      lease: leaseId,
      token: fencingToken,
      number: slotNumber,
      durable,
      limit,
      freed: this.#gone.get(`${repository} ${fencingToken}`),
      stale: false,
    }
    // What others removed meanwhile is told by the next heartbeat, also to whoever is handed it late.
    const isTaken = body.freed === 'removed'
    for (const other of this.#running)
      if (
        other.repository === repository &&
        other.run === run &&
        other.freed === undefined &&
        !durable &&
        !isTaken
      )
        this.#host.broken(4, `${of.name} runs ${run}, which runs in ${other.of.name} already`)
    this.#running.add(body)
    this.started++
    this.#host.log(`${of.name} runs ${repository} ${run} under ${leaseId}`)
    signal.addEventListener('abort', () => this.#aborted(body, signal.reason), { once: true })
    if (body.freed === undefined) {
      this.#overlap(body)
      this.write(body)
    }
    return body
  }

  /** Whoever works under the slot stops. */
  end(body: Body, why: string): void {
    if (!this.#running.delete(body)) return
    this.#host.log(`${body.of.name} stops ${body.repository} ${body.run} (${why})`)
  }

  /** The body writes to a resource that lets nobody in who is older than the last one. */
  write(body: Body): boolean {
    if (body.number === undefined) return true
    const fence = `${body.repository} ${body.number}`
    const last = this.#fences.get(fence) ?? 0n
    if (body.token < last) {
      if (!body.stale && body.freed === undefined)
        this.#host.broken(
          2,
          `${body.run} holds number ${body.number} with token ${body.token}, and ${last} was there before`,
        )
      return false
    }
    this.#fences.set(fence, body.token)
    return true
  }

  /** The store ended a slot. Whoever still works under it must have been told in time, unless it was taken. */
  freed(row: RunRow, cause: Cause): void {
    this.#gone.set(`${row.repository} ${row.token}`, cause)
    for (const body of this.#running) {
      if (body.repository !== row.repository || body.run !== row.run || body.token !== BigInt(row.token))
        continue
      body.freed = cause
      const { committer } = this.#host
      if (cause === 'withdrawn' && body.of === committer)
        this.#host.broken(12, `${body.of.name} withdrew ${body.run} while it runs there`)
      if (cause === 'holder-dead' || cause === 'due') {
        if (this.#stoodStill(body)) body.stale = true
        else
          this.#host.broken(
            9,
            `the store gave the slot of ${body.run} away while ${body.of.name} runs it (${cause})`,
          )
      }
    }
  }

  /** A holder's time is over in the store. Whoever still works under it stands still, or has a clock that lies. */
  expired(holder: string): void {
    for (const body of this.#running) {
      if (body.slot.holder !== holder || body.freed !== undefined) continue
      if (this.#stoodStill(body)) body.stale = true
      else this.#host.broken(9, `holder ${holder} is overdue and ${body.of.name} still runs ${body.run}`)
    }
  }

  /** A process runs again after a pause: before anything else, its bodies look whether they still hold. */
  resumed(of: SimulatedProcess): void {
    for (const body of [...this.#running]) {
      if (body.of !== of || !body.stale) continue
      if (body.slot.isHeld)
        this.#host.broken(9, `${of.name} woke up and takes ${body.run} for held, which is not its any more`)
      if (body.freed !== undefined && this.write(body) && this.#isTaken(body))
        this.#host.broken(2, `${of.name} woke up and wrote for ${body.run} past its successor`)
    }
  }

  /** A process is dead, and all its bodies with it. */
  died(of: SimulatedProcess): void {
    for (const body of [...this.#running]) if (body.of === of) this.#running.delete(body)
  }

  #aborted(body: Body, reason: unknown): void {
    if (!body.of.dead)
      this.end(
        body,
        reason instanceof Error ? ((reason as { reason?: string }).reason ?? reason.name) : 'aborted',
      )
  }

  #isTaken(body: Body): boolean {
    if (body.number === undefined) return false
    for (const other of this.#running)
      if (
        other !== body &&
        other.repository === body.repository &&
        other.number === body.number &&
        other.freed === undefined
      )
        return true
    return false
  }

  /**
   * Its process could not know, because it did not run, or runs again since so short a time that no timer rang. Timers run on the
   * monotonic clock, which a suspension holds up; how long it may take until one rings is within the margin of the deadline.
   */
  #stoodStill(body: Body): boolean {
    const { of } = body
    if (of.isPaused || body.stale) return true
    const graceMs = this.#host.marginMs
    const { now } = of.scheduler
    if (now - of.resumedAt > graceMs) return false
    const look = () => {
      if (!of.isPaused && this.#running.has(body))
        this.#host.broken(
          9,
          `${of.name} runs again since ${graceMs} ms and has not noticed that it lost ${body.run}`,
        )
    }
    of.scheduler.at(of.resumedAt + graceMs, look, undefined, true)
    return true
  }

  /** Rule 1, by what truly runs: the newest grant was made while the others were live. */
  #overlap(body: Body): void {
    const together = [...this.#running].filter(
      (other) => other.repository === body.repository && other.freed === undefined && !other.stale,
    )
    const newest = together.reduce((a, b) => (a.token > b.token ? a : b))
    if (newest.limit !== 0 && together.length > newest.limit)
      this.#host.broken(
        1,
        `${together.length} bodies run in ${body.repository} (${together.map((one) => one.run).join()}); the limit is ${newest.limit}`,
      )
  }
}
