import { isSlotkeeperError, type Repository, type RunKey, type Slot } from '@slotkeeper/core'
import type { Actor } from './actor.ts'
import type { Body } from './bodies.ts'
import type { OpStep } from './plan.ts'

/** How often it reconciles. */
const PERIOD_MS = 600

/** A level-triggered reconciler of durable runs: it claims before it starts, adopts what nobody keeps, and ends what is over. */
export class Controller {
  readonly #actor: Actor
  readonly #handles = new Map<string, Body>()
  readonly #givenBack = new Set<string>()
  #reconciling = false
  #stopped = false

  constructor(actor: Actor) {
    this.#actor = actor
  }

  begin(): void {
    const again = async () => {
      if (this.#stopped) return
      await this.reconcile().catch((error) => this.#tolerate(error))
      if (!this.#stopped) this.#actor.world.scheduler.after(PERIOD_MS, () => void again(), this.#actor.of)
    }
    void again()
  }

  stop(): void {
    this.#stopped = true
  }

  /** Enqueues some runs of a list, and repeats until it is known that they are there. */
  async enqueue(step: OpStep, repository: Repository): Promise<void> {
    const { world, manager } = this.#actor
    const count = 1 + Math.floor(step.a * 3)
    const runs = Array.from({ length: count }, (_, n) =>
      world.run(n === 0 ? step.run : 100 + step.run * 3 + n),
    )
    for (let attempt = 0; attempt < 4 && !this.#actor.closing; attempt++)
      try {
        const { queueManager } = manager
        const outcomes = await this.#actor.call(
          'enqueue',
          step.b < 0.5
            ? queueManager.addListToRunningQueue(repository, runs)
            : queueManager.addToPendingQueue(
                repository,
                runs.map((run) => ({ run, priority: step.priority })),
              ),
        )
        for (const outcome of outcomes)
          if (outcome.kind === 'reserved' && step.a < 0.9) await this.claim(outcome.slot)
          // A claim of which nobody here had an answer.
          else if (outcome.kind === 'running' && outcome.slot.durable) await this.runs(outcome.slot)
        return
      } catch (error) {
        if (!isSlotkeeperError(error) || !error.retryable) throw error
        await this.#actor.pause(50)
      }
  }

  /** Makes a reservation a running slot, and starts its run. */
  async claim(slot: Slot): Promise<void> {
    const outcome = await this.#actor.call('claim', slot.claim())
    if (outcome.kind === 'running') await this.runs(slot)
  }

  /** A durable slot of this process runs: its run is started, if it was not before. */
  async runs(slot: Slot): Promise<void> {
    const { world, of } = this.#actor
    const truth = world.cluster.of(slot.repository, slot.run)
    // Two callers of one process got the same slot, and the other gives it back.
    if (this.#givenBack.has(`${slot.repository} ${slot.leaseId}`)) return
    const body = world.bodies.begin(of, slot)
    if (body === undefined) return
    this.#handles.set(`${slot.repository} ${slot.run}`, body)
    if (truth.startedAt !== undefined) return
    if (!world.calm && world.random.chance(0.15)) {
      // The start provably failed.
      world.bodies.end(body, 'start failed')
      this.#givenBack.add(`${slot.repository} ${slot.leaseId}`)
      await this.#requeue(slot, world.random.chance(0.5) ? 100 : 0)
      return
    }
    truth.startedAt = world.now
    world.log(`run ${slot.repository} ${slot.run} starts in the cluster`)
    const ms = world.calm
      ? 50
      : world.random.chance(0.4)
        ? 2000 + world.random.below(3000)
        : 50 + world.random.below(1000)
    world.scheduler.after(
      ms,
      () => {
        truth.doneAt = world.now
      },
      undefined,
      true,
    )
  }

  /** Until it is known to be given back: a run must not be started under a slot that may be given back any moment. */
  async #requeue(slot: Slot, delayMs: number): Promise<void> {
    for (;;)
      try {
        await this.#actor.call('requeue', slot.requeue({ delayMs }))
        return
      } catch (error) {
        if (!isSlotkeeperError(error) || !error.retryable) throw error
        await this.#actor.pause(50)
      }
  }

  /** One look at everything. */
  async reconcile(): Promise<void> {
    if (this.#reconciling || this.#actor.closing) return
    this.#reconciling = true
    try {
      for (let index = 0; index < this.#actor.world.traits.repositories; index++) await this.#reconcile(index)
    } finally {
      this.#reconciling = false
    }
  }

  async #reconcile(index: number): Promise<void> {
    const actor = this.#actor
    const { world, manager } = actor
    const key = world.key(index)
    const repository = world.resource(index)
    const slots = await actor.call('list', manager.getRunningPipelineRuns(key))
    for (const slot of slots) {
      if (!slot.durable || actor.closing) continue
      if (slot.phase === 'reserved') await this.#enqueued(repository, slot.run)
      else if (world.cluster.of(key, slot.run).doneAt !== undefined) await this.#over(repository, slot.run)
      else if (slot.phase === 'orphaned') {
        const outcome = await actor.call('adopt', manager.adoptSlot(slot))
        if (outcome.kind === 'granted' && !outcome.again) await this.runs(outcome.slot)
      }
    }
    if (!world.calm) return
    // Nobody else comes for parked entries.
    const queue = await actor.call('queue', manager.getQueuedPipelineRuns(key))
    for (const entry of queue)
      if (entry.durable && entry.parkedUntil !== undefined) await this.#enqueued(repository, entry.run)
  }

  async #enqueued(repository: Repository, run: RunKey): Promise<void> {
    const { queueManager } = this.#actor.manager
    const [outcome] = await this.#actor.call('enqueue', queueManager.addListToRunningQueue(repository, [run]))
    if (outcome?.kind === 'reserved') await this.claim(outcome.slot)
    else if (outcome?.kind === 'running' && outcome.slot.durable) await this.runs(outcome.slot)
  }

  /** The run is over in the cluster: so is its slot, whoever keeps it, and the next one may start. */
  async #over(repository: Repository, run: RunKey): Promise<void> {
    const actor = this.#actor
    const { world } = actor
    const name = `${repository.metadata.namespace}/${repository.metadata.name} ${run}`
    const mine = this.#handles.get(name)
    this.#handles.delete(name)
    if (mine !== undefined && world.bodies.running.has(mine) && world.random.chance(0.5)) {
      world.bodies.end(mine, 'its run is over')
      await actor.giveBack(mine.slot, 'completed', false)
      return
    }
    if (mine !== undefined) world.bodies.end(mine, 'its run is over')
    const { queueManager } = actor.manager
    const answer = queueManager.removeAndTakeItemFromQueue(repository, run)
    const next = await actor.call('take', answer, 2 * world.traits.callTimeoutMs)
    if (next !== undefined) await this.claim(next)
  }

  #tolerate(error: unknown): void {
    if (isSlotkeeperError(error) && error.code !== 'SLOTKEEPER_INTERNAL') return
    this.#actor.world.broken(
      0,
      `${this.#actor.of.name}: reconciling threw ${error instanceof Error ? error.stack : String(error)}`,
    )
  }
}
