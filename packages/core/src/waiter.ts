import type { Cancel } from './clock.ts'
import type { AcquireCommand } from './commands.ts'
import type { AwaitedRow } from './decide/transitions.ts'
import type { DomainInHand } from './driver.ts'
import type { HolderId, RepositoryKey, RunKey } from './keys.ts'
import type { LocalSlot } from './local-slot.ts'
import type { DescribedRepository } from './repository.ts'
import type { Indexed } from './run-index.ts'

const NOBODY: readonly string[] = Object.freeze([])

/** What a caller waits for: a row that waits, or the command that shall lead to one. */
export type Awaited = Pick<AcquireCommand, 'repository' | 'run' | 'ticket' | 'durable'> & {
  readonly holder: HolderId | undefined
}

/** One caller that waits for a slot. */
export class Waiter implements Indexed {
  readonly repository: RepositoryKey
  readonly run: RunKey
  readonly ticket: string
  readonly durable: boolean
  /** The holder that the entry of a worker hangs on, as last known. */
  holder: HolderId | undefined
  readonly promise: Promise<LocalSlot>
  /** When it began, by the monotonic clock; 0 where nobody is told how long a wait took. */
  readonly since: number
  /** What it asks with; made when it is needed where the request was plain and went to a store of this process. */
  command: AcquireCommand | undefined = undefined
  /** Of a store in this process: its entry, the repository as asked for, and what stands for the domain. */
  row: AwaitedRow | undefined = undefined
  from: DescribedRepository | undefined = undefined
  inHand: DomainInHand | undefined = undefined
  /** Tickets of older waits for the same durable run, which left their places to this one. */
  inherited = NOBODY
  /** Set while it asks the store; then nobody else needs to look for it. */
  asking = false
  /** The store told something while it asked: its answer may be older than the news. */
  hinted = false
  indexedAt = -1
  readonly #left: (waiter: Waiter) => void
  #resolve: ((slot: LocalSlot) => void) | undefined
  #reject: ((error: unknown) => void) | undefined
  #undo: Cancel[] | undefined

  /** @param left called once, when it is settled */
  constructor(of: Awaited, since: number, left: (waiter: Waiter) => void) {
    this.repository = of.repository
    this.run = of.run
    this.ticket = of.ticket
    this.durable = of.durable
    this.holder = of.holder
    this.since = since
    this.#left = left
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  get isSettled(): boolean {
    return this.#resolve === undefined
  }

  /** Whether its entry is a row of this process that still waits under its ticket, for `holder` or for nobody: then reading tells no more. */
  isSeenWaiting(holder: HolderId | undefined): boolean {
    const { row, ticket, durable } = this
    return row?.phase === 'waiting' && row.ticket === ticket && (durable || row.holder === holder)
  }

  /** To be undone when it is settled. */
  also(undo: Cancel): void {
    if (this.isSettled) undo()
    else if (this.#undo === undefined) this.#undo = [undo]
    else this.#undo.push(undo)
  }

  /** Takes over the place of an older wait for the same run. */
  inherit(older: Waiter): void {
    this.inherited = [...this.inherited, older.ticket, ...older.inherited]
  }

  resolve(slot: LocalSlot): void {
    const resolve = this.#resolve
    if (resolve === undefined) return
    this.#finish()
    resolve(slot)
  }

  /** @returns whether it was not settled before */
  reject(error: unknown): boolean {
    const reject = this.#reject
    if (reject === undefined) return false
    this.#finish()
    reject(error)
    return true
  }

  #finish(): void {
    this.#resolve = this.#reject = undefined
    this.#left(this)
    if (this.#undo !== undefined) for (const undo of this.#undo) undo()
    this.#undo = undefined
  }
}
