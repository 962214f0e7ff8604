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

/** A turn of the event loop costs a tenth of it. */
const WORTH_GATHERING_MS = 0.1

/** A command, and who is told once its outcome is written or its domain failed. */
export interface Entry {
  readonly command: Command
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
  /** Whatever was added with the same list comes after it, or fails with it: nothing of a list passes what was before it. */
  readonly list?: object | undefined
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
  /**
   * The last call was answered at once and took long: nothing is ever under way, so that commands would never gather. What timers and
   * messages of one turn of the event loop bring about is worth waiting for then, and a turn costs little beside it.
   */
  #gathers = false
  /** The signal's of the last call, if that was answered at once and so has nothing that listens to it. */
  #unused: AbortController | undefined

  constructor(host: BatcherHost) {
    this.#host = host
  }

  /** Takes a command along with the next batch of its domain. */
  add(domain: string, entry: Entry): void {
    const queue = this.#waiting.get(domain)
    if (queue === undefined) this.#waiting.set(domain, [entry])
    else queue.push(entry)
    this.#schedule()
  }

  /** Decides for a domain without commands: settles what is overdue and promotes. */
  nudge(domain: string): void {
    if (!this.#waiting.has(domain)) this.#waiting.set(domain, [])
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const flush = () => {
      this.#scheduled = false
      this.#flush()
    }
    if (this.#gathers) setImmediate(flush)
    else queueMicrotask(flush)
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
    if (batches.length > 0) this.#send(batches)
  }

  #send(batches: readonly Batch[]): void {
    const { driver, decide, clock, closing } = this.#host
    const controller = this.#unused ?? new AbortController()
    this.#unused = undefined
    if (closing.aborted) controller.abort(closing.reason)
    let failure: SlotkeeperError | undefined
    try {
      const before = clock.monotonic()
      const call = driver.transact(batches, decide, controller.signal)
      this.#gathers = call === undefined && clock.monotonic() - before > WORTH_GATHERING_MS
      if (call !== undefined) {
        void this.#await(batches, Promise.resolve(call), controller)
        return
      }
      if (!controller.signal.aborted) this.#unused = controller
    } catch (error) {
      failure = toSlotkeeperError(error)
    }
    this.#finish(batches, failure)
  }

  async #await(batches: readonly Batch[], call: Promise<void>, controller: AbortController): Promise<void> {
    const { clock, callTimeoutMs, closing } = this.#host
    const stop = () => controller.abort(closing.reason)
    closing.addEventListener('abort', stop, { once: true })
    let failure: SlotkeeperError | undefined
    try {
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
    this.#finish(batches, failure)
  }

  #finish(batches: readonly Batch[], failure: SlotkeeperError | undefined): void {
    for (const batch of batches) {
      if (batch.decision === undefined)
        batch.error ??=
          failure ??
          new InternalError(
            `Driver ${this.#host.driver.name} answered for ${batch.domain} with neither a decision nor an error.`,
          )
      batch.done()
    }
  }

  #settle(batch: Batch, entries: readonly Entry[]): void {
    this.#underway.delete(batch.domain)
    if (this.#waiting.has(batch.domain)) this.#schedule()
    if (batch.error !== undefined) {
      for (const entry of [...entries, ...this.#takeListed(batch.domain, entries)]) entry.reject(batch.error)
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

  /** Takes out of the queue what belongs to a list of these. */
  #takeListed(domain: string, entries: readonly Entry[]): readonly Entry[] {
    const queue = this.#waiting.get(domain)
    const lists = new Set(entries.map(({ list }) => list))
    lists.delete(undefined)
    if (queue === undefined || lists.size === 0) return []
    const left = queue.filter(({ list }) => !lists.has(list))
    this.#waiting.set(domain, left)
    return queue.filter(({ list }) => lists.has(list))
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
