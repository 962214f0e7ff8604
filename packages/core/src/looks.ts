import type { Engine } from './engine.ts'
import type { RunRow } from './rows.ts'
import type { Waiter } from './waiter.ts'

/** What is to be looked at in the store: these waiters or all of them, the slots in hand or not. */
interface Look {
  readonly waiters: ReadonlySet<Waiter> | 'all'
  readonly slots: boolean
}

/** No waiter needs to be looked at. */
export const NO_WAITERS: ReadonlySet<Waiter> = new Set()

/** The looks at the store that hints call for. */
export class Looks {
  readonly #engine: Engine
  #looking: Look | undefined

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Looks at the store once for everything that was asked for in this tick. */
  add(waiters: ReadonlySet<Waiter> | 'all', slots: boolean): void {
    this.#engine.waitRoom.hint(waiters)
    if (this.#looking !== undefined) {
      this.#looking = {
        waiters:
          waiters === 'all' || this.#looking.waiters === 'all'
            ? 'all'
            : new Set([...this.#looking.waiters, ...waiters]),
        slots: slots || this.#looking.slots,
      }
      return
    }
    this.#looking = { waiters, slots }
    queueMicrotask(() => {
      const look = this.#looking
      this.#looking = undefined
      if (look === undefined || this.#engine.closing.aborted) return
      this.#engine.persist(
        'a look at the store',
        () => true,
        () => this.#read(look),
      )
    })
  }

  async #read({ waiters, slots }: Look): Promise<void> {
    const engine = this.#engine
    const { driver, waitRoom, keeper } = engine
    const waiting = waitRoom.idle(waiters)
    if (waiting.length > 0) {
      const named = waiting.map(({ repository, run }) => ({ repository, run }))
      const { runs } = await engine.read('Looking at waiting runs', undefined, (signal) =>
        driver.read({ kind: 'runs', runs: named }, signal),
      )
      waitRoom.look(waiting, runs)
    }
    const { holder } = keeper
    if (!slots || holder === undefined) return
    // Slots granted while the store is read are not in what it answers.
    const before = engine.slots.all()
    const { runs } = await engine.read('Looking at slots', undefined, (signal) =>
      driver.read({ kind: 'holder', holder, only: 'running' }, signal),
    )
    if (keeper.holder !== holder) return
    const inStore = new Set(runs.map((row) => `${row.grantedTo ?? row.ticket} ${row.token}`))
    for (const slot of before)
      if (slot.holder === holder && engine.slots.has(slot) && !inStore.has(`${slot.ticket} ${slot.token}`))
        slot.lose('removed')
    // An answer that arrived with the same packet may not have reached its caller yet.
    await new Promise((resolve) => setImmediate(resolve))
    for (const row of runs) {
      if (row.phase !== 'running' || this.#isKnown(row)) continue
      engine.logger.warn(
        { event: 'unknown-slot', repository: row.repository, run: row.run },
        'the store has a slot of this holder that nobody here asked for; withdrawing it',
      )
      engine.slotCalls.withdrawUnknown(
        row.repository,
        row.run,
        row.grantedTo ?? row.ticket,
        () => !this.#isKnown(row),
      )
    }
  }

  #isKnown(row: RunRow): boolean {
    const { slots, waitRoom, asking } = this.#engine
    const { repository, run, ticket, grantedTo } = row
    const tickets = grantedTo === undefined ? [ticket] : [ticket, grantedTo]
    return tickets.some(
      (of) =>
        slots.ofTicket(repository, run, of) !== undefined ||
        waitRoom.has(repository, run, of) ||
        asking.has(of),
    )
  }
}
