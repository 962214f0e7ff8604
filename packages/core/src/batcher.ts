import { within } from './call-options.ts'
import type { Clock } from './clock.ts'
import type { Command } from './commands.ts'
import type { DomainBatch, Driver } from './driver.ts'
import {
  CallTimeoutError,
  InternalError,
  isSlotkeeperError,
  type SlotkeeperError,
  StoreError,
} from './errors.ts'
import type { HolderId } from './keys.ts'
import type { StoreEvent } from './rows.ts'
import type { Decide, Decision } from './section.ts'

const NO_EVENTS: readonly StoreEvent[] = Object.freeze([])

interface Entry {
  readonly command: Command
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** What the batcher needs from the Manager that it works for. */
export interface BatcherHost {
  readonly driver: Driver
  readonly decide: Decide
  readonly clock: Clock
  /** The longest time that one call of the driver may take. */
  readonly callTimeoutMs: number
  /** Ends all calls. */
  readonly closing: AbortSignal
  holder(): HolderId | undefined
  /** Told of every batch that was committed. */
  committed(batch: DomainBatch): void
}

/** A batch on its way to the driver. */
class Batch implements DomainBatch {
  readonly domain: string
  readonly by: HolderId | undefined
  readonly commands: readonly Command[]
  decision: Decision | undefined
  error: SlotkeeperError | undefined
  events: readonly StoreEvent[] = NO_EVENTS
  readonly #onDone: (batch: Batch) => void
  #finished = false

  constructor(
    domain: string,
    by: HolderId | undefined,
    commands: readonly Command[],
    onDone: (batch: Batch) => void,
  ) {
    this.domain = domain
    this.by = by
    this.commands = commands
    this.#onDone = onDone
  }

  done(): void {
    if (this.#finished) return
    this.#finished = true
    this.#onDone(this)
  }
}

/**
 * Sends concurrent commands together: all that are called in one tick, whatever their domains, travel in one call of the driver. While a
 * domain's batch is under way its next commands gather, so that one domain is never in two calls and commands keep their order.
 */
export class Batcher {
  readonly #host: BatcherHost
  readonly #waiting = new Map<string, Entry[]>()
  readonly #underway = new Set<string>()
  #scheduled = false

  constructor(host: BatcherHost) {
    this.#host = host
  }

  /** Resolves when the command's outcome is written; rejects when its domain failed. */
  add(domain: string, command: Command): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry = { command, resolve, reject }
      const queue = this.#waiting.get(domain)
      if (queue === undefined) this.#waiting.set(domain, [entry])
      else queue.push(entry)
      this.#schedule()
    })
  }

  /** Decides for a domain without commands: settles what is overdue and promotes. */
  nudge(domain: string): void {
    if (!this.#waiting.has(domain)) this.#waiting.set(domain, [])
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    const batches: Batch[] = []
    const by = this.#host.holder()
    for (const [domain, queue] of this.#waiting) {
      if (this.#underway.has(domain)) continue
      const entries = queue.splice(0, this.#host.driver.manifest.budget)
      if (queue.length === 0) this.#waiting.delete(domain)
      this.#underway.add(domain)
      batches.push(
        new Batch(
          domain,
          by,
          entries.map((entry) => entry.command),
          (batch) => this.#settle(batch, entries),
        ),
      )
    }
    if (batches.length > 0) void this.#send(batches)
  }

  async #send(batches: readonly Batch[]): Promise<void> {
    const { driver, decide, clock, callTimeoutMs, closing } = this.#host
    const controller = new AbortController()
    const stop = () => controller.abort(closing.reason)
    closing.addEventListener('abort', stop, { once: true })
    if (closing.aborted) stop()
    let failure: SlotkeeperError | undefined
    try {
      const call = Promise.resolve(driver.transact(batches, decide, controller.signal))
      await within(call, {
        clock,
        ms: callTimeoutMs,
        expired: () => new CallTimeoutError('A decision', callTimeoutMs),
        signals: [controller.signal],
      })
    } catch (error) {
      failure = toSlotkeeperError(error)
      controller.abort(failure)
    } finally {
      closing.removeEventListener('abort', stop)
    }
    for (const batch of batches) {
      if (batch.decision === undefined)
        batch.error ??=
          failure ??
          new InternalError(
            `Driver ${driver.name} answered for ${batch.domain} with neither a decision nor an error.`,
          )
      batch.done()
    }
  }

  #settle(batch: Batch, entries: readonly Entry[]): void {
    this.#underway.delete(batch.domain)
    if (this.#waiting.has(batch.domain)) this.#schedule()
    if (batch.error !== undefined) {
      for (const entry of entries) entry.reject(batch.error)
      return
    }
    const { decided, more } = batch.decision as Decision
    for (const entry of entries.slice(0, decided)) entry.resolve()
    // What found no room in this commit goes first into the next.
    const left = entries.slice(decided)
    if (left.length > 0)
      this.#waiting.set(batch.domain, [...left, ...(this.#waiting.get(batch.domain) ?? [])])
    this.#host.committed(batch)
    if (more) this.nudge(batch.domain)
  }
}

/** A failure with a code, whatever was thrown. */
export function toSlotkeeperError(error: unknown): SlotkeeperError {
  if (isSlotkeeperError(error)) return error
  return new StoreError(
    'SLOTKEEPER_STORE_UNAVAILABLE',
    `The store failed: ${error instanceof Error ? error.message : String(error)}`,
    error,
  )
}

/** The pause before trying again: doubling from 20 ms to 1 s, each cut by a random part so that many do not come together. */
export function backOffMs(attempt: number, random: () => number): number {
  return Math.min(20 * 2 ** attempt, 1000) * (0.5 + random() / 2)
}
