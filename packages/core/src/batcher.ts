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

/** What a domain is asked for: gathered here, then on its way to the driver. */
class Batch implements DomainBatch {
  readonly domain: string
  by: HolderId | undefined
  readonly commands: Command[]
  readonly entries: Entry[]
  decision: Decision | undefined
  error: SlotkeeperError | undefined
  events: readonly StoreEvent[] = NO_EVENTS
  readonly #onDone: (batch: Batch) => void
  readonly #onJoin: (batch: Batch) => void
  #isDone = false

  constructor(
    domain: string,
    onDone: (batch: Batch) => void,
    onJoin: (batch: Batch) => void,
    entries: Entry[] = [],
    commands: Command[] = [],
  ) {
    this.domain = domain
    this.#onDone = onDone
    this.#onJoin = onJoin
    this.entries = entries
    this.commands = commands
  }

  get isDone(): boolean {
    return this.#isDone
  }

  add(entry: Entry): void {
    this.entries.push(entry)
    this.commands.push(entry.command)
  }

  /** Takes the entries from `first` on out, into a batch of their own. */
  cut(first: number): Batch {
    const [entries, commands] = [this.entries.splice(first), this.commands.splice(first)]
    return new Batch(this.domain, this.#onDone, this.#onJoin, entries, commands)
  }

  join(): void {
    if (!this.#isDone) this.#onJoin(this)
  }

  done(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#onDone(this)
  }
}

/**
 * Sends concurrent commands together: all that are called in one tick, or in one turn of the event loop where the store takes time, travel in
 * one call of the driver, whatever their domains. While a domain's batch is under way its next commands gather, so that one domain is never
 * in two calls and commands keep their order.
 */
export class Batcher {
  readonly #host: BatcherHost
  /** Never empty, unless a decision without commands is wanted. */
  #waiting = new Map<string, Batch>()
  readonly #underway = new Set<string>()
  readonly #onDone = (batch: Batch) => this.#settle(batch)
  readonly #onJoin = (batch: Batch) => this.#join(batch)
  #scheduled = false
  /**
   * The last call took long, so that it is worth waiting for what one turn of the event loop brings about, which costs little beside it. An
   * answer lets many go on, and not all of them ask in the same tick. Nor would commands ever gather that are answered at once.
   */
  #gathers = false
  /** The signal's of the last call, if that was answered at once and so has nothing that listens to it. */
  #unused: AbortController | undefined

  constructor(host: BatcherHost) {
    this.#host = host
  }

  /** Takes a command along with the next batch of its domain. */
  add(domain: string, entry: Entry): void {
    const batch = this.#waiting.get(domain)
    if (batch !== undefined) batch.add(entry)
    // Most have one entry, and an array that grows begins with room for many.
    else this.#waiting.set(domain, new Batch(domain, this.#onDone, this.#onJoin, [entry], [entry.command]))
    this.#schedule()
  }

  /** Decides for a domain without commands: settles what is overdue and promotes. */
  nudge(domain: string): void {
    this.#gathering(domain)
    this.#schedule()
  }

  #gathering(domain: string): Batch {
    let batch = this.#waiting.get(domain)
    if (batch === undefined) {
      batch = new Batch(domain, this.#onDone, this.#onJoin)
      this.#waiting.set(domain, batch)
    }
    return batch
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (this.#gathers) setImmediate(this.#flush)
    else queueMicrotask(this.#flush)
  }

  readonly #flush = (): void => {
    this.#scheduled = false
    const batches: Batch[] = []
    const by = this.#host.holder()
    const { budget } = this.#host.driver.manifest
    for (const [domain, batch] of this.#waiting) {
      if (this.#underway.has(domain)) continue
      if (batch.entries.length > budget) this.#waiting.set(domain, batch.cut(budget))
      else this.#waiting.delete(domain)
      batch.by = by
      batches.push(batch)
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
      this.#gathers = call !== undefined || clock.monotonic() - before > WORTH_GATHERING_MS
      if (call !== undefined) {
        for (const batch of batches) if (!batch.isDone) this.#underway.add(batch.domain)
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

  /** What gathered behind a batch that has not been decided goes with it, as far as there is room. */
  #join(batch: Batch): void {
    const { domain, entries } = batch
    const waiting = this.#waiting.get(domain)
    const room = this.#host.driver.manifest.budget - entries.length
    if (waiting === undefined || room <= 0) return
    if (waiting.entries.length > room) this.#waiting.set(domain, waiting.cut(room))
    else this.#waiting.delete(domain)
    for (const entry of waiting.entries) batch.add(entry)
    batch.by = this.#host.holder()
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

  #settle(batch: Batch): void {
    const { domain, entries, decision, error } = batch
    this.#underway.delete(domain)
    if (this.#waiting.has(domain)) this.#schedule()
    if (error !== undefined || decision === undefined) {
      for (const entry of [...entries, ...this.#takeListed(batch)]) entry.reject(error)
      return
    }
    const { decided, more } = decision
    for (let at = 0; at < decided; at++) (entries[at] as Entry).resolve()
    if (decided < entries.length) this.#goFirst(batch.cut(decided))
    this.#host.committed(batch)
    if (more) this.nudge(domain)
  }

  /** Takes out of what is gathered whatever belongs to a list with these. */
  #takeListed({ domain, entries }: Batch): readonly Entry[] {
    const waiting = this.#waiting.get(domain)
    const lists = new Set(entries.map(({ list }) => list))
    lists.delete(undefined)
    if (waiting === undefined || lists.size === 0) return []
    this.#waiting.delete(domain)
    const listed: Entry[] = []
    for (const entry of waiting.entries)
      if (lists.has(entry.list)) listed.push(entry)
      else this.#gathering(domain).add(entry)
    return listed
  }

  /** What found no room in a commit goes first into the next. */
  #goFirst(left: Batch): void {
    const { domain } = left
    const later = this.#waiting.get(domain)
    if (later !== undefined) for (const entry of later.entries) left.add(entry)
    this.#waiting.set(domain, left)
    this.#schedule()
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
