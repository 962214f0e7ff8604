import { setTimeout as sleep } from 'node:timers/promises'
import {
  isSlotkeeperError,
  type Manager,
  type RepositoryKey,
  type Slot,
  type SlotLostError,
} from '@slotkeeper/core'
import type { Random } from '../conformance/random.ts'
import type { Assignment } from './assignment.ts'
import { appender, type FenceWrite, machineMs, type Said } from './lines.ts'

/** How often it is written down how long the holder surely lives. */
const TERM_MS = 100

/** The work of one process: bodies under slots, which write to the shared resource and tell what they see. */
export class Bodies {
  readonly assignment: Assignment
  readonly manager: Manager
  readonly random: Random
  readonly say: (said: Said, at?: number) => void
  readonly #write: (write: FenceWrite) => void
  readonly #held = new Set<Slot>()
  #calls: number
  #writes: number
  #toldAt = 0

  constructor(
    assignment: Assignment,
    manager: Manager,
    say: (said: Said, at?: number) => void,
    random: Random,
  ) {
    this.assignment = assignment
    this.manager = manager
    this.say = say
    this.random = random
    this.#calls = assignment.calls
    this.#writes = assignment.calls
    this.#write = appender(assignment.resource)
    setInterval(() => this.#tellTerm(), TERM_MS).unref()
  }

  call(): number {
    return ++this.#calls
  }

  repository(): RepositoryKey {
    return this.random.pick(this.assignment.repositories)
  }

  /** A slot is in hand: says so before anything can be done under it. */
  granted(slot: Slot, call: number, { again = false, adopted = false } = {}): void {
    const at = machineMs()
    // Read after the time was taken, so that it was true at that time as well.
    const held = slot.isHeld
    const until = at + slot.remainingMs
    const { repository, run, leaseId: lease, fencingToken, slotNumber: number, holder } = slot
    const token = String(fencingToken)
    this.say(
      { event: 'granted', repository, run, call, lease, token, number, holder, again, adopted, held, until },
      at,
    )
  }

  /** Works under a slot and says when it is over, right before the slot is given back. */
  async work(slot: Slot, call: number): Promise<void> {
    const { repository, run, leaseId: lease, signal } = slot
    this.#held.add(slot)
    let over = false
    const lost = () => {
      const reason = (signal.reason as SlotLostError | undefined)?.reason ?? 'unknown'
      if (!over) this.say({ event: 'lost', repository, run, call, lease, reason })
    }
    signal.addEventListener('abort', lost, { once: true })
    const sure: number[] = []
    // Some do not listen: a loop that is blocked, or work that cannot be stopped. The token fences what they write.
    const stubborn = this.random.chance(0.3)
    const steps = 1 + this.random.below(4)
    const stepMs = this.#stepMs()
    for (let step = 0; step < steps && (stubborn || !signal.aborted); step++) {
      await sleep(this.random.next() * stepMs)
      if (stubborn || !signal.aborted) this.#touch(slot, sure)
    }
    this.#held.delete(slot)
    over = true
    this.over(slot, call, sure)
  }

  /** The work is over: whatever comes now gives the slot back. */
  over(slot: Slot, call: number, sure: readonly number[] = []): void {
    const { repository, run, leaseId: lease } = slot
    const at = machineMs()
    const held = slot.isHeld
    this.say({ event: 'over', repository, run, call, lease, held, sure }, at)
  }

  /** Frees a slot until the store has heard, or the slot is lost. */
  async release(slot: Slot, call: number): Promise<void> {
    const { repository, run, leaseId: lease } = slot
    for (;;)
      try {
        const { kind: outcome } = await slot.release()
        return this.say({ event: 'released', repository, run, call, lease, outcome })
      } catch (error) {
        if (!isSlotkeeperError(error) || !error.retryable) throw error
        await sleep(this.random.below(20))
      }
  }

  failed(repository: string, run: string, call: number, error: unknown): void {
    // What is no failure of the store is a defect: the process dies of it, and the conductor tells.
    if (!isSlotkeeperError(error)) throw error
    this.say({ event: 'failed', repository, run, call, reason: error.code })
  }

  #touch(slot: Slot, sure: number[]): void {
    const { repository, slotNumber, fencingToken } = slot
    if (slotNumber === undefined) return
    const write = ++this.#writes
    this.#write({
      by: this.assignment.name,
      repository,
      number: slotNumber,
      token: String(fencingToken),
      write,
    })
    // Held after it was written, so also when it was.
    if (slot.isHeld) sure.push(write)
  }

  #stepMs(): number {
    const { random, assignment } = this
    if (random.chance(0.01)) return assignment.ttlMs
    return random.chance(0.1) ? 80 : 12
  }

  #tellTerm(): void {
    const now = machineMs()
    if (now < this.#toldAt + TERM_MS / 2) return
    this.#toldAt = now
    for (const slot of this.#held) {
      const at = machineMs()
      const until = at + slot.remainingMs
      if (!slot.isHeld || slot.holder === undefined) continue
      this.say({ event: 'term', holder: slot.holder, until }, at)
      return
    }
  }
}
