import type { Engine } from './engine.ts'
import type { RunRow } from './rows.ts'
import type { Waiter } from './waiter.ts'

/** What is to be looked at in the store: these waiters or all of them, the slots in hand or not. */
interface Look {
  readonly waiters: ReadonlySet<Waiter> | 'all'
  readonly slots: boolean
  /** Whether waiters are looked for because of a hint: then what the store told with it, or after it, is new enough. */
  readonly asOf: 'now' | 'hints'
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
  add(waiters: Look['waiters'], slots: boolean, asOf: Look['asOf']): void {
    this.#engine.waitRoom.hint(waiters)
    if (this.#looking !== undefined) {
      const { waiters: others } = this.#looking
      this.#looking = {
        waiters: waiters === 'all' || others === 'all' ? 'all' : new Set([...others, ...waiters]),
        slots: slots || this.#looking.slots,
        asOf: asOf === 'now' ? asOf : this.#looking.asOf,
      }
      return
    }
    this.#looking = { waiters, slots, asOf }
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

  async #read({ waiters, slots, asOf }: Look): Promise<void> {
    const engine = this.#engine
    const { driver, waitRoom, keeper } = engine
    const waiting = waitRoom.idle(waiters)
    if (waiting.length > 0) {
      const named = waiting.map(({ repository, run }) => ({ repository, run }))
      const { runs } = await engine.read('Looking at waiting runs', undefined, (signal) =>
        driver.read({ kind: 'runs', runs: named, ...(asOf === 'now' ? {} : { asOf }) }, signal),
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
