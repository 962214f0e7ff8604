import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../conformance/random.ts'
import type { Fleet, Worker } from './fleet.ts'
import type { FaultKind, Said } from './lines.ts'
import type { StoreFaults } from './options.ts'

/** What faults need. */
export interface Scene {
  readonly fleet: Fleet
  readonly random: Random
  readonly ttlMs: number
  readonly store: StoreFaults
  readonly say: (said: Said) => void
  /** Waits until it is so, but not for ever; tells whether it came to be. */
  readonly hopes: (ms: number, probe: () => boolean) => Promise<boolean>
  /** How often a failure of that code was seen. */
  readonly failures: (code: string) => number
}

/** Injects faults, one kind after the other in an order that the seed gives, some of them at the same time. */
export class Faults {
  readonly done: Record<FaultKind, number> = { kill: 0, stop: 0, block: 0, limit: 0, lock: 0, full: 0 }
  slotsHit = 0
  readonly #scene: Scene
  readonly #kinds: readonly FaultKind[]
  #deck: FaultKind[] = []
  #storeIsHit = false

  constructor(scene: Scene) {
    this.#scene = scene
    const { lockFor, fill, unfill } = scene.store
    this.#kinds = [
      'kill',
      'stop',
      'block',
      ...(lockFor === undefined ? [] : (['lock'] as const)),
      ...(fill === undefined || unfill === undefined ? [] : (['full'] as const)),
    ]
  }

  /** Every kind was injected and is over. */
  get isComplete(): boolean {
    return this.#kinds.every((kind) => this.done[kind] > 0)
  }

  /** The next one; ends when it is healed. */
  next(): Promise<void> {
    if (this.#deck.length === 0) {
      const kinds = [...this.#kinds, 'kill' as const]
      while (kinds.length > 0) this.#deck.push(...kinds.splice(this.#scene.random.below(kinds.length), 1))
    }
    const kind = this.#deck.pop() as FaultKind
    if (kind === 'lock' || kind === 'full') return this.#hitStore(kind)
    return this.#hitWorker(kind)
  }

  async #hitWorker(kind: FaultKind): Promise<void> {
    const { fleet, random, hopes, say, ttlMs } = this.#scene
    const eligible = () => fleet.alive.filter((worker) => worker.isOpen && !worker.isVictim)
    await hopes(10_000, () => eligible().length > 0)
    const candidates = eligible()
    if (candidates.length === 0) return
    const worker = random.pick(candidates)
    worker.isVictim = true
    await hopes(2 * ttlMs, () => worker.held.size > 0)
    this.slotsHit += worker.held.size
    const ms = Math.round(ttlMs * (1.1 + random.next() * 0.6))
    say({ event: 'fault', kind, victim: worker.name })
    if (kind === 'kill') await this.#kill(worker)
    else if (kind === 'stop') await stopFor(worker, ms)
    else {
      worker.say(`block ${ms}`)
      await sleep(ms)
    }
    say({ event: 'healed', kind, victim: worker.name })
    this.done[kind]++
    worker.isVictim = false
  }

  async #kill(worker: Worker): Promise<void> {
    worker.killed = true
    worker.process.kill('SIGKILL')
    await worker.ended
    this.#scene.fleet.start(worker.index)
  }

  async #hitStore(kind: 'lock' | 'full'): Promise<void> {
    const { random, hopes, say, ttlMs, store, failures } = this.#scene
    // The store is hit in one way at a time.
    if (!(await hopes(10_000, () => !this.#storeIsHit))) return
    this.#storeIsHit = true
    try {
      if (kind === 'lock') {
        // Sometimes for so long that no heartbeat comes through.
        const ms = Math.round(ttlMs * (random.chance(0.3) ? 1.1 : 0.1 + random.next() * 0.4))
        say({ event: 'fault', kind, victim: undefined })
        await store.lockFor?.(ms)
      } else {
        const before = failures('SLOTKEEPER_STORE_FULL')
        say({ event: 'fault', kind, victim: undefined })
        await store.fill?.()
        const bites = await hopes(4 * ttlMs, () => failures('SLOTKEEPER_STORE_FULL') > before)
        if (bites) await sleep(ttlMs * random.next() * 0.5)
        else this.done[kind]--
        await store.unfill?.()
      }
      say({ event: 'healed', kind, victim: undefined })
      this.done[kind]++
    } finally {
      this.#storeIsHit = false
    }
  }
}

/** By a process of its own, which lets it go on even if nobody is left who would. */
async function stopFor(worker: Worker, ms: number): Promise<void> {
  const script = 'kill -STOP "$0"; sleep "$1"; kill -CONT "$0"'
  const args = ['-c', script, String(worker.process.pid), (ms / 1000).toFixed(2)]
  await once(spawn('/bin/sh', args, { stdio: 'ignore' }), 'close')
}
