import type { Engine } from './engine.ts'
import type { RunRow } from './rows.ts'
import type { Waiter } from './waiter.ts'

/** What is to be looked at in the store. */
interface Look {
  readonly waiters: ReadonlySet<Waiter>
  /** Whether everybody else who waits is looked at as well. */
  readonly everybody: boolean
  /** Whether the slots in hand are. */
  readonly slots: boolean
  /** Whether `waiters` are looked for because of a hint: then what the store told with it, or after it, is new enough. */
  readonly asOf: 'now' | 'hints'
}

/** So many rows are read at once: no store takes long over them, and other calls get their turn in between. */
const PAGE = 500
/** No waiter needs to be looked at. */
export const NO_WAITERS: ReadonlySet<Waiter> = new Set()

/** The looks at the store that hints call for, and those that nothing calls for but time. */
export class Looks {
  readonly #engine: Engine
  #looking: Look | undefined
  /** Everybody is being looked at; `again`: and shall be once more, since it may have begun too early. */
  #everybody: 'under way' | 'again' | undefined

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Looks at these waiters, the slots in hand or both; once for everything that was asked for in this tick. */
  add(waiters: ReadonlySet<Waiter>, slots: boolean, asOf: Look['asOf']): void {
    this.#engine.waitRoom.hint(waiters)
    this.#add({ waiters, everybody: false, slots, asOf })
  }

  /** Looks at everybody who waits, and at the slots in hand if those are wanted too. */
  addEverybody(slots: boolean): void {
    this.#engine.waitRoom.hint('all')
    this.#add({ waiters: NO_WAITERS, everybody: true, slots, asOf: 'hints' })
  }

  /** Looks at some of those who wait, at others each time: a bounded price for finding out what no hint told. */
  addSome(): void {
    this.add(new Set(this.#engine.waitRoom.some(PAGE)), false, 'now')
  }

  #add(look: Look): void {
    const other = this.#looking
    if (other !== undefined) {
      this.#looking = {
        waiters: new Set([...other.waiters, ...look.waiters]),
        everybody: other.everybody || look.everybody,
        slots: other.slots || look.slots,
        asOf: other.asOf === 'now' ? other.asOf : look.asOf,
      }
      return
    }
    this.#looking = look
    queueMicrotask(() => {
      const look = this.#looking
      this.#looking = undefined
      if (look === undefined || this.#engine.closing.aborted) return
      void this.#engine.persist(
        'a look at the store',
        () => true,
        () => this.#read(look),
      )
    })
  }

  async #read({ waiters, everybody, slots, asOf }: Look): Promise<void> {
    await this.#readWaiters([...waiters], asOf)
    if (slots) await this.#readSlots()
    if (everybody) await this.#readEverybody()
  }

  async #readEverybody(): Promise<void> {
    if (this.#everybody !== undefined) {
      this.#everybody = 'again'
      return
    }
    try {
      do {
        this.#everybody = 'under way'
        await this.#readWaiters(this.#engine.waitRoom.all(), 'now')
      } while (this.#isWantedAgain())
    } finally {
      this.#everybody = undefined
    }
  }

  #isWantedAgain(): boolean {
    return this.#everybody === 'again'
  }

  async #readWaiters(waiters: readonly Waiter[], asOf: Look['asOf']): Promise<void> {
    const { driver, waitRoom } = this.#engine
    for (let from = 0; from < waiters.length; from += PAGE) {
      if (from > 0) await turn()
      const waiting = waitRoom.idle(waiters.slice(from, from + PAGE))
      if (waiting.length === 0) continue
      const named = waiting.map(({ repository, run }) => ({ repository, run }))
      const { runs } = await this.#engine.read('Looking at waiting runs', undefined, (signal) =>
        driver.read({ kind: 'runs', runs: named, ...(asOf === 'now' ? {} : { asOf }) }, signal),
      )
      waitRoom.look(waiting, runs)
    }
  }

  async #readSlots(): Promise<void> {
    const engine = this.#engine
    const { driver, waitRoom, keeper } = engine
    const { holder } = keeper
    if (holder === undefined) return
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
    await turn()
    for (const row of runs) {
      if (row.phase !== 'running') continue
      // Whoever waits for it was not told.
      const { repository, run, ticket, grantedTo } = row
      const told = waitRoom.of(repository, run)
      waitRoom.look(
        told.filter((waiter) => waiter.ticket === ticket || waiter.ticket === grantedTo),
        [row],
      )
      if (this.#isKnown(row)) continue
      engine.logger.warn(
        { event: 'unknown-slot', repository: row.repository, run: row.run },
        'the store has a slot of this holder that nobody here asked for; withdrawing it',
      )
      engine.slotCalls.withdraw(
        { repository, run, ticket: grantedTo ?? ticket },
        true,
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

/** A turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
