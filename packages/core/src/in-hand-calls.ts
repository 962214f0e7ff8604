import { checkCallOptions } from './call-options.ts'
import type { ReleaseCommand } from './commands.ts'
import { acquireAtOnce, releaseAtOnce } from './decide/at-once.ts'
import type { Policy } from './decide/policy.ts'
import type { DomainInHand, StoreInHand } from './driver.ts'
import type { Engine } from './engine.ts'
import { checkKey, type HolderId } from './keys.ts'
import type { LocalSlot } from './local-slot.ts'
import type { DescribedRepository } from './repository.ts'
import type { RunRow } from './rows.ts'
import { acquireCommand, isPlain, PlainAcquire, type SlotRequest } from './slot-request.ts'

/** The way of commands that need no decision to a store of this process. Whatever else is asked goes to `decide`. */
export class InHandCalls {
  readonly #engine: Engine
  readonly #store: StoreInHand
  readonly #policy: Policy
  readonly #plain: PlainAcquire

  constructor(engine: Engine, store: StoreInHand) {
    this.#engine = engine
    this.#store = store
    this.#policy = engine.options
    this.#plain = new PlainAcquire(engine.options)
  }

  /**
   * @returns the row, `running` or `waiting`; `undefined` = a decision is needed, and nothing was changed
   * @throws what checking the request throws
   */
  acquire(request: SlotRequest, from: DescribedRepository, mode: 'try' | 'wait'): RunRow | undefined {
    const command = isPlain(request)
      ? this.#plainCommand(request, from, mode)
      : acquireCommand(this.#engine, request, mode)
    if (request.signal !== undefined) request.signal.throwIfAborted()
    command.holder = this.#engine.keeper.ensure() as HolderId
    const store = this.#store
    if (from.inHandOf !== store) {
      from.inHand = store.domain(from.key)
      from.inHandOf = store
    }
    const section = store.section(from.inHand as DomainInHand, command.holder)
    const row = section === undefined ? undefined : acquireAtOnce(section, command)
    // It may stand for a domain that the store has forgotten since.
    if (row === undefined) from.inHandOf = undefined
    return row
  }

  /** @returns the row that got the place, or the slot's own where nobody did; `undefined` = a decision is needed, and nothing was changed */
  release(
    { row, inHand }: LocalSlot,
    lease: Pick<ReleaseCommand, 'token' | 'ticket' | 'state'>,
  ): RunRow | undefined {
    if (inHand === undefined) return undefined
    const section = this.#store.section(inHand, this.#engine.keeper.holder)
    return section === undefined ? undefined : releaseAtOnce(section, this.#policy, row, lease)
  }

  #plainCommand(request: SlotRequest, from: DescribedRepository, mode: 'try' | 'wait'): PlainAcquire {
    const { run, timeoutMs, signal } = request
    if (timeoutMs !== undefined || signal !== undefined) checkCallOptions(request)
    checkKey(run, 'run')
    const command = this.#plain
    command.repository = from.key
    command.proposal = from.proposal
    command.run = run
    command.mode = mode
    command.ticket = this.#engine.ticket()
    return command
  }
}
