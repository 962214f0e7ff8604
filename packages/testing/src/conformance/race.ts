import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { isSlotkeeperError, type Manager, type Repository, type Slot } from '@slotkeeper/core'
import { History } from '../history/history.ts'
import { judge } from '../history/judge.ts'
import { audit } from './audit.ts'
import { API } from './commands.ts'
import { type Lab, run } from './lab.ts'
import type { Random } from './random.ts'

const KEY = 'acme/api'

/** A Manager that takes part, and the name that the history knows it by. */
interface Racer {
  readonly manager: Manager
  readonly name: string
  /** Its holder may be lost at any time, and its entries with it: it may be passed. */
  readonly mortal: boolean
  crashed: boolean
}

/** Many who want slots of one repository at once, and the history of what they saw. */
export class Race {
  readonly history = new History()
  readonly random: Random
  #limit = 3
  #generation = 1
  readonly #lab: Lab
  readonly #held = new Map<string, Slot>()
  readonly #waiting = new Map<string, number>()
  readonly #enqueued = new Map<string, number>()
  /** Enqueues that are not answered yet, and those that never will be: their process died, perhaps before the store heard of them. */
  readonly #enqueuing = new Map<string, Racer>()
  #racers = 0
  #runs = 0
  #over = false

  constructor(lab: Lab, random: Random) {
    this.#lab = lab
    this.random = random
  }

  racer(manager: Manager, mortal = false): Racer {
    return { manager, name: `manager-${++this.#racers}`, mortal, crashed: false }
  }

  /** Begins with a limit that the history knows. */
  async begin(manager: Manager): Promise<void> {
    await this.setLimit(manager, this.#limit)
  }

  async setLimit(manager: Manager, limit: number): Promise<void> {
    const call = this.history.call()
    this.#limit = limit
    this.#generation++
    this.history.add({ kind: 'limit-asked', call, repository: KEY, limit })
    await manager.setRepositoryLimit(this.#repo())
    this.history.add({ kind: 'limit-answered', call, repository: KEY, limit })
  }

  /** So many wishes of one racer, one after the other. */
  async work(racer: Racer, wishes: number): Promise<void> {
    try {
      for (let n = 0; n < wishes && !racer.crashed; n++) {
        const what = this.random.below(10)
        if (what < 3) await this.#try(racer)
        else if (what < 8) await this.#wait(racer)
        else await this.#enqueue(racer)
      }
    } catch (error) {
      // What a dead process was about ends with the test, and nobody is there to hear of it.
      if (!racer.crashed) throw error
    }
  }

  crash(racer: Racer): void {
    racer.crashed = true
    for (const [lease, slot] of this.#held)
      if (slot.holder === racer.manager.holder && !slot.durable) this.#held.delete(lease)
    this.history.add({ kind: 'crashed', manager: racer.name })
  }

  /** Looks at the queue now and then, so that the history knows who waited. */
  async observe(manager: Manager): Promise<void> {
    while (!this.#over) {
      for (const { run: name } of await manager.getQueuedPipelineRuns(KEY)) {
        const call = this.#waiting.get(name)
        if (call === undefined) continue
        this.#waiting.delete(name)
        this.history.add({ kind: 'queued', call, repository: KEY, run: name })
      }
      await sleep(1)
    }
  }

  /** Claims reservations and ends their runs until all that was enqueued is over. */
  async control(racer: Racer): Promise<void> {
    while (!this.#over || this.#enqueued.size > 0) {
      const reserved = (await racer.manager.getRunningPipelineRuns(KEY)).filter(
        (slot) => slot.phase === 'reserved',
      )
      for (const { run: name } of reserved) {
        const call = this.#enqueued.get(name)
        if (call === undefined) continue
        const [outcome] = await racer.manager.queueManager.addListToRunningQueue(this.#repo(), [name])
        if (outcome?.kind !== 'reserved' || (await outcome.slot.claim()).kind !== 'running') continue
        this.#enqueued.delete(name)
        this.#granted(racer, call, outcome.slot, false)
        await this.#hold(outcome.slot)
      }
      if (this.#over) await this.#forgetUnheard(racer.manager)
      await sleep(1)
    }
  }

  /** Nobody knows whether the store heard of what a process asked for when it died. What is not there by now never was. */
  async #forgetUnheard(manager: Manager): Promise<void> {
    const unsure = [...this.#enqueuing].filter(([name, racer]) => racer.crashed && this.#enqueued.has(name))
    if (unsure.length === 0) return
    const queued = await manager.getQueuedPipelineRuns(KEY)
    // In this order: an entry that has left the queue by now has a slot.
    const there = new Set([...queued, ...(await manager.getRunningPipelineRuns(KEY))].map((one) => one.run))
    for (const [name] of unsure) {
      const call = this.#enqueued.get(name)
      if (call === undefined || there.has(name as (typeof queued)[0]['run'])) continue
      this.#enqueued.delete(name)
      this.history.add({ kind: 'failed', call, repository: KEY, run: name, reason: 'its process died' })
    }
  }

  /** All wishes were made; tells those who look and control to come to an end. */
  finish(): void {
    this.#over = true
  }

  /** Waits until nothing is held or waits, and judges. */
  async verdict(): Promise<void> {
    const desk = await this.#lab.desk()
    await this.random.telling(async () => {
      await this.#lab.until('nothing is held and nobody waits', async () => {
        await desk.tidy()
        await desk.transact(API)
        const row = await desk.repository(API)
        return row === undefined || (row.live === 0 && row.waiting === 0)
      })
      await audit(desk, API)
      for (let n = 0; n < this.#runs; n++) {
        const row = await desk.row(API, run(n))
        this.history.add({
          kind: 'found',
          repository: KEY,
          run: run(n),
          as: row === undefined ? 'absent' : 'ended',
        })
      }
      const violations = judge(this.history.entries)
      const told = violations
        .slice(0, 3)
        .map(
          ({ rule, message, entries }) =>
            `${rule}. ${message}\n${entries.map((entry) => JSON.stringify(entry, bigints)).join('\n')}`,
        )
      assert.equal(
        violations.length,
        0,
        `The history of ${this.history.entries.length} entries breaks rules:\n${told.join('\n')}`,
      )
    })
  }

  /** As it is now: whoever asks with an older word changes nothing. */
  #repo(): Repository {
    const metadata = { namespace: 'acme', name: 'api', generation: this.#generation }
    return { metadata, spec: { concurrencyLimit: this.#limit } }
  }

  async #try(racer: Racer): Promise<void> {
    const name = run(this.#runs++)
    const call = this.#asked(racer, name, 'try', 0)
    await this.#answered(racer, name, call, async () => {
      const outcome = await racer.manager.acquireSlot({ repository: this.#repo(), run: name })
      if (outcome.kind !== 'granted') return outcome.kind
      if (this.random.chance(0.2)) {
        const again = await racer.manager.acquireSlot({ repository: this.#repo(), run: name })
        this.#granted(racer, call, outcome.slot, outcome.again)
        if (again.kind === 'granted')
          this.history.add({
            ...seen(again.slot),
            kind: 'granted',
            call,
            manager: racer.name,
            again: again.again,
          })
      } else this.#granted(racer, call, outcome.slot, outcome.again)
      return outcome.slot
    })
  }

  async #wait(racer: Racer): Promise<void> {
    const name = run(this.#runs++)
    const priority = this.random.below(3)
    const call = this.#asked(racer, name, 'wait', priority)
    const controller = new AbortController()
    if (this.random.chance(0.2))
      setTimeout(() => {
        if (controller.signal.aborted) return
        this.#waiting.delete(name)
        // Whether or not it is granted at this very moment, nobody outside can tell.
        this.history.add({ kind: 'failed', call, repository: KEY, run: name, reason: 'aborted' })
        controller.abort(new Error('aborted'))
      }, this.random.below(6)).unref()
    await this.#answered(racer, name, call, async () => {
      const slot = await racer.manager.waitForSlot({
        repository: this.#repo(),
        run: name,
        priority,
        signal: controller.signal,
      })
      this.#granted(racer, call, slot, false)
      return slot
    })
  }

  async #enqueue(racer: Racer): Promise<void> {
    const name = run(this.#runs++)
    const call = this.#asked(racer, name, 'enqueue', 0)
    this.#enqueued.set(name, call)
    this.#enqueuing.set(name, racer)
    for (;;)
      try {
        await racer.manager.queueManager.addListToRunningQueue(this.#repo(), [name])
        this.#enqueuing.delete(name)
        return
      } catch (error) {
        // A durable enqueue is repeated until it is known to be there.
        if (!isSlotkeeperError(error) || !error.retryable) throw error
      }
  }

  #asked(
    racer: Racer,
    name: ReturnType<typeof run>,
    mode: 'try' | 'wait' | 'enqueue',
    priority: number,
  ): number {
    const call = this.history.call()
    this.history.add({ kind: 'asked', call, repository: KEY, run: name, manager: racer.name, mode, priority })
    if (mode === 'enqueue' || (mode === 'wait' && !racer.mortal)) this.#waiting.set(name, call)
    return call
  }

  async #answered(
    racer: Racer,
    name: string,
    call: number,
    ask: () => Promise<Slot | string>,
  ): Promise<void> {
    try {
      const answer = await ask()
      this.#waiting.delete(name)
      if (typeof answer === 'string')
        this.history.add({ kind: 'refused', call, repository: KEY, run: name, reason: answer })
      else await this.#hold(answer)
    } catch (error) {
      this.#waiting.delete(name)
      if (!racer.crashed)
        this.history.add({ kind: 'failed', call, repository: KEY, run: name, reason: String(error) })
    }
  }

  #granted(racer: Racer, call: number, slot: Slot, again: boolean): void {
    if (racer.crashed) return
    // A stalled event loop runs no abort: whoever reads the clock now finds out.
    for (const held of [...this.#held.values()]) if (!held.isHeld) this.#gaveUp(held, 'lost')
    this.history.add({ ...seen(slot), kind: 'granted', call, manager: racer.name, again })
    this.#held.set(slot.leaseId, slot)
    slot.signal.addEventListener('abort', () => this.#gaveUp(slot, 'lost'), { once: true })
  }

  async #hold(slot: Slot): Promise<void> {
    await sleep(this.random.below(3))
    this.#gaveUp(slot, 'release')
    for (;;)
      try {
        const { kind } = await slot.release()
        this.history.add({
          kind: 'released',
          repository: KEY,
          run: slot.run,
          lease: slot.leaseId,
          freed: kind === 'released',
        })
        return
      } catch (error) {
        if (!isSlotkeeperError(error) || !error.retryable) return
      }
  }

  #gaveUp(slot: Slot, why: 'release' | 'lost'): void {
    if (!this.#held.delete(slot.leaseId)) return
    this.history.add({ kind: 'given-up', repository: KEY, run: slot.run, lease: slot.leaseId, why })
  }
}

function seen({ run: name, leaseId, fencingToken, slotNumber }: Slot) {
  return { repository: KEY, run: name, lease: leaseId, token: fencingToken, number: slotNumber }
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
