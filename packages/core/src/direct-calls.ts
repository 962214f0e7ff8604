import type { BatcherHost } from './batcher.ts'
import type { Command } from './commands.ts'
import type { DomainBatch } from './driver.ts'
import { InternalError, type SlotkeeperError } from './errors.ts'
import type { HolderId } from './keys.ts'
import type { StoreEvent } from './rows.ts'
import type { Decision } from './section.ts'

const NO_EVENTS: readonly StoreEvent[] = Object.freeze([])

/** The batch that travels to a synchronous driver and back, again and again. */
class DirectBatch implements DomainBatch {
  domain = ''
  by: HolderId | undefined
  commands: readonly Command[] = []
  decision: Decision | undefined
  error: SlotkeeperError | undefined
  events: readonly StoreEvent[] = NO_EVENTS

  /** A synchronous driver is done when it returns. */
  done(): void {}
}

/** The way to a synchronous driver: no queue, no promise, and nothing made for a call that an earlier one left behind. */
export class DirectCalls {
  readonly #host: BatcherHost
  readonly #batch = new DirectBatch()
  readonly #batches = [this.#batch]
  readonly #one: Command[] = []

  constructor(host: BatcherHost) {
    this.#host = host
  }

  /** Decides one command. */
  decideOne(command: Command): void {
    this.#one[0] = command
    this.#decide(command.repository, this.#one)
  }

  /** Decides commands of one domain in their order, in as few commits as its budget allows. */
  decideAll(domain: string, commands: readonly Command[]): void {
    for (let from = 0; ; ) {
      from += this.#decide(domain, from === 0 ? commands : commands.slice(from))
      if (from >= commands.length) return
    }
  }

  #decide(domain: string, commands: readonly Command[]): number {
    const { driver, decide } = this.#host
    const batch = this.#batch
    batch.domain = domain
    batch.by = this.#host.holder()
    batch.commands = commands
    batch.decision = batch.error = undefined
    batch.events = NO_EVENTS
    void driver.transact(this.#batches, decide)
    const { decision, error } = batch as DomainBatch
    if (error !== undefined) throw error
    if (decision === undefined)
      throw new InternalError(`Driver ${driver.name} calls itself synchronous and did not decide at once.`)
    // From here on another call may use the batch: those who are told of the commit may ask for more at once.
    this.#host.committed(batch)
    return decision.decided
  }
}
