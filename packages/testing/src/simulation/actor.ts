import { isSlotkeeperError, type Repository, type RunKey, type Slot } from '@slotkeeper/core'
import type { FinalState, RepositoryKey, RepositoryState, RunRow } from '@slotkeeper/core/driver'
import type { Body } from './bodies.ts'
import { Controller } from './controller.ts'
import type { OpStep } from './plan.ts'
import type { SimulatedDriver } from './simulated-driver.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { World } from './world.ts'

/** What may come out of a call besides an answer. */
const EXPECTED: ReadonlySet<string> = new Set([
  'SLOTKEEPER_CALL_TIMEOUT',
  'SLOTKEEPER_WAIT_TIMEOUT',
  'SLOTKEEPER_SLOT_REFUSED',
  'SLOTKEEPER_ALREADY_HELD',
  'SLOTKEEPER_SUPERSEDED',
  'SLOTKEEPER_MANAGER_CLOSED',
  'SLOTKEEPER_STORE_UNAVAILABLE',
  'SLOTKEEPER_SLOT_LOST',
])

/** So often a run is tried whose calls fail. */
const MOST_TRIES = 3

/** What a user's abort gives. */
const CHANGED_MIND = new Error('changed its mind')

interface Pending {
  readonly what: string
  readonly since: number
}

/** The code of a user in one process: it wants slots, works under them, and looks whether the answers are what was promised. */
export class Actor {
  readonly world: World
  readonly of: SimulatedProcess
  readonly driver: SimulatedDriver
  readonly controller: Controller
  /** Calls that were not answered yet. */
  readonly pending = new Set<Pending>()
  /** Waits that go on, by repository and run. */
  readonly #awaited = new Map<string, number>()
  /** Grants whose waiters have not heard of them. */
  readonly #unheard = new Map<string, number>()
  readonly #tried = new Set<string>()
  closing = false
  #unwatch: (() => void)[] = []

  constructor(world: World, of: SimulatedProcess, driver: SimulatedDriver) {
    this.world = world
    this.of = of
    this.driver = driver
    this.controller = new Controller(this)
  }

  get manager() {
    return this.of.manager
  }

  begin(): void {
    if (this.world.calm || this.driver.wire.random.chance(0.6)) this.watch()
    if (this.world.calm || this.driver.wire.random.chance(0.6)) this.controller.begin()
  }

  /** Hears of everything, which keeps its holder alive. */
  watch(): void {
    if (this.closing || this.#unwatch.length > 0) return
    for (let index = 0; index < this.world.traits.repositories; index++)
      this.#unwatch.push(this.manager.queueManager.setupWatcher(this.world.key(index), () => {}))
  }

  /** Something of the plan. */
  async do(step: OpStep): Promise<void> {
    if (this.closing && step.op !== 'close') return
    const { world } = this
    const run = world.run(step.run)
    const repository = world.resource(step.repository, step.b < 0.3)
    const { key } = keyed(repository)
    world.log(`${this.of.name} ${step.op} ${key} ${run}`)
    try {
      switch (step.op) {
        case 'work':
          return await this.#work(step, repository, run)
        case 'try':
          return await this.#try(step, repository, run)
        case 'durable-wait':
          return await this.#durableWait(step, repository, run)
        case 'enqueue':
          return await this.controller.enqueue(step, repository)
        case 'remove':
          return void (await this.call('remove', this.manager.queueManager.removeFromQueue(repository, run)))
        case 'limit':
          return await this.#limit(step)
        case 'state':
          return await this.#state(step, key)
        case 'run-state': {
          const states = ['queued', 'started', 'completed', 'failed', 'cancelled', 'expired'] as const
          const state = states[Math.floor(step.a * states.length)] ?? 'queued'
          return void (await this.call('run-state', this.manager.setPipelineRunState(repository, run, state)))
        }
        case 'cleanup':
          return await this.#cleanup(step)
        case 'look':
          return await this.#look(step, repository, run)
        case 'close':
          return await this.close(step.a < 0.5 ? 0 : 400, step.holdMs)
        case 'finish-any':
          return await this.#finish(repository, run)
        case 'reconcile':
          return await this.controller.reconcile()
      }
    } catch (error) {
      this.#judge(step.op, error)
    }
  }

  /**
   * Follows a call: it must be answered within its time, however the store is, or the process dies.
   * @param ms how long it may take; `Infinity` for waits
   */
  async call<T>(what: string, answer: Promise<T>, ms = this.world.traits.callTimeoutMs): Promise<T> {
    const { world, of } = this
    const pending: Pending = { what, since: world.now }
    this.pending.add(pending)
    const still = of.stoodStillMs
    try {
      return await answer
    } finally {
      this.pending.delete(pending)
      const took = world.now - pending.since - (of.stoodStillMs - still)
      // A process that stood still may have to ask once more.
      if (!of.dead && took > ms * 1.05 + 20)
        world.broken(10, `${of.name}: ${what} took ${took.toFixed(0)} ms and had ${ms}`)
    }
  }

  /** A grant in the store that somebody here waits for: it has to hear of it soon. */
  expect(row: RunRow): void {
    const name = `${row.repository} ${row.run}`
    if (row.phase !== 'running' || row.holder !== this.manager.holder || !this.#awaited.has(name)) return
    // A try of the same run may have got it.
    if (this.of.touched || this.closing || this.#tried.has(name)) return
    this.#unheard.set(name, row.token)
    const boundMs = 300 + 20 * this.world.traits.latencyMs
    this.world.scheduler.after(
      boundMs,
      () => {
        if (this.of.dead || this.of.touched || this.closing || this.#unheard.get(name) !== row.token) return
        const now = this.world.store.row(row.repository, row.run)
        if (now?.token === row.token && now.phase === 'running')
          this.world.broken(
            7,
            `${this.of.name} was granted ${row.run} ${boundMs} ms ago and its waiter has not heard`,
          )
      },
      undefined,
      true,
    )
  }

  /** Another holder was opened at the first attempt: whoever waits goes over to it without waiting for a look around. */
  expectPlaces(): void {
    const { world, of } = this
    const { pausedMs } = of
    const boundMs = 400 + 30 * world.traits.latencyMs
    const waiting = [...this.#awaited.keys()]
    const look = () => {
      const ran = !of.dead && !of.isPaused && of.pausedMs === pausedMs && !of.failed && !this.closing
      if (!ran) return
      for (const name of waiting) {
        const [repository, run] = name.split(' ') as [RepositoryKey, RunKey]
        const row = world.store.row(repository, run)
        if (!this.#awaited.has(name) || row?.phase !== 'waiting' || row.holder === undefined) continue
        if (row.holder.startsWith(`${of.name}-`) && row.holder !== this.manager.holder)
          world.broken(
            10,
            `${of.name} has another holder since ${boundMs} ms, and ${run} still waits with the old one`,
          )
      }
    }
    world.scheduler.after(boundMs, look, undefined, true)
  }

  /** Waits for a slot, and tells the world that it does. */
  async wait<T>(repository: RepositoryKey, run: RunKey, answer: Promise<T>): Promise<T> {
    const name = `${repository} ${run}`
    this.#awaited.set(name, (this.#awaited.get(name) ?? 0) + 1)
    try {
      return await answer
    } catch (error) {
      if (error === CHANGED_MIND || isSlotkeeperError(error, 'SLOTKEEPER_WAIT_TIMEOUT'))
        this.#leavesNothing(repository, run)
      throw error
    } finally {
      this.heard(repository, run)
    }
  }

  /** A wait was given up: what it led to is gone soon. */
  #leavesNothing(repository: RepositoryKey, run: RunKey): void {
    const name = `${repository} ${run}`
    const { world, of } = this
    const row = world.store.row(repository, run)
    const { holder } = this.manager
    if (
      row === undefined ||
      row.durable ||
      row.phase === 'record' ||
      row.holder === undefined ||
      row.holder !== holder
    )
      return
    const { ticket } = row
    const boundMs = 300 + 30 * world.traits.latencyMs
    const look = () => {
      if (of.dead || of.touched || this.closing || this.#awaited.has(name) || this.#tried.has(name)) return
      const now = world.store.row(repository, run)
      const body = [...world.bodies.running].some((one) => one.repository === repository && one.run === run)
      if (now?.ticket === ticket && now.phase !== 'record' && !body)
        world.broken(5, `${of.name} gave up waiting for ${run}, which is ${now.phase} ${boundMs} ms later`)
    }
    world.scheduler.after(boundMs, look, undefined, true)
  }

  heard(repository: RepositoryKey, run: RunKey): void {
    const name = `${repository} ${run}`
    this.#unheard.delete(name)
    const left = (this.#awaited.get(name) ?? 1) - 1
    if (left > 0) this.#awaited.set(name, left)
    else this.#awaited.delete(name)
  }

  /** Resolves after `ms`, or when the signal aborts. Not on the Manager's clock, whose timers are counted. */
  pause(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        timer.cancelled = true
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = this.world.scheduler.after(ms, done, this.of)
      signal?.addEventListener('abort', done, { once: true })
      if (signal?.aborted) done()
    })
  }

  /** Gives a slot back and looks at what is said; a second time frees nothing. @returns false where the store did not hear in time */
  async giveBack(slot: Slot, state: FinalState, twice: boolean): Promise<boolean> {
    const { world } = this
    try {
      await this.call('release', slot.release({ state }))
      if (!twice) return true
      const again = await this.call('second release', this.manager.releaseSlot(slot))
      if (again.kind === 'released') world.broken(4, `a second release of ${slot.run} freed it again`)
      return true
    } catch (error) {
      this.#judge('release', error)
      const disposed = Promise.resolve(slot[Symbol.asyncDispose]())
      await this.call('dispose', disposed, 2 * world.traits.callTimeoutMs).catch((cause) =>
        this.#judge('dispose', cause),
      )
      return false
    }
  }

  async close(waitForSlotsMs: number, downMs: number): Promise<void> {
    const { world, of, manager } = this
    if (this.closing) return
    this.closing = true
    this.controller.stop()
    for (const stop of this.#unwatch) stop()
    const bodies = waitForSlotsMs === 0 ? [...world.bodies.running].filter((body) => body.of === of) : []
    // What goes on in the background, the holder, and each repository that had durable slots.
    const limitMs = waitForSlotsMs + (3 + 2 * world.traits.repositories) * world.traits.callTimeoutMs
    await this.call('close', manager.close({ waitForSlotsMs }), limitMs)
    for (const body of bodies)
      if (world.bodies.running.has(body) && !body.slot.signal.aborted)
        world.broken(11, `${of.name} is closed and ${body.run} still runs under its signal`)
    world.scheduler.after(5, () => this.#closed(downMs), of)
  }

  #closed(downMs: number): void {
    const { world, of } = this
    if (of.timers > 0 || of.kept > 0)
      world.broken(
        11,
        `${of.name} is closed and has ${of.timers} timers, and ${of.kept} reasons to stay alive`,
      )
    if (!this.driver.closed) world.broken(11, `${of.name} is closed and its driver is not`)
    for (const { what } of this.pending) world.broken(11, `${of.name} is closed and ${what} is not answered`)
    world.log(`${of.name} is closed`)
    world.end(this)
    if (world.ending) return
    const again = () => {
      if (world.actors[of.index] === this) world.spawn(of.index)
    }
    world.scheduler.after(world.calm ? 0 : downMs, again)
  }

  async #work(step: OpStep, repository: Repository, run: RunKey): Promise<void> {
    const { b, holdMs, priority } = step
    const controller = new AbortController()
    const timeoutMs = b < 0.2 ? 20 + holdMs : undefined
    if (b > 0.4 && b < 0.6) void this.pause(holdMs / 2).then(() => controller.abort(CHANGED_MIND))
    const request = {
      repository,
      run,
      priority,
      signal: controller.signal,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(b > 0.9 ? { maxHoldMs: 200 + 800 * step.a } : {}),
      ...(step.a > 0.85 ? { runUid: `life-${Math.floor(b * 3)}` } : {}),
    }
    const { key } = keyed(repository)
    const limitMs = timeoutMs ?? Number.POSITIVE_INFINITY
    if (step.a < 0.5) {
      // Half of it is the wait, the rest the work and the release.
      let waited: () => void = () => {}
      const begun = new Promise<void>((resolve) => {
        waited = resolve
      })
      const answer = this.manager.withSlot(request, async (slot) => {
        waited()
        await this.#body(slot, holdMs)
      })
      const wait: Promise<void> = Promise.race([answer, begun])
      await this.wait(key, run, this.call<unknown>('wait', wait, limitMs))
      return await this.call('work', answer, Number.POSITIVE_INFINITY)
    }
    const slot = await this.wait(key, run, this.call('wait', this.manager.waitForSlot(request), limitMs))
    await this.#body(slot, holdMs)
    await this.giveBack(slot, 'completed', b < 0.5)
  }

  /** Works under a slot until it is done, or told to stop. */
  async #body(slot: Slot, ms: number): Promise<void> {
    const body = this.world.bodies.begin(this.of, slot)
    if (body === undefined) return
    await this.pause(ms / 2, slot.signal)
    if (this.world.bodies.running.has(body)) this.world.bodies.write(body)
    await this.pause(ms / 2, slot.signal)
    this.world.bodies.end(body, 'done')
  }

  /** Tries again when it was told that a call failed, as everybody does: at once, and for the same run. */
  async #try(step: OpStep, repository: Repository, run: RunKey): Promise<void> {
    this.#tried.add(`${keyed(repository).key} ${run}`)
    for (let tries = 1; ; tries++)
      try {
        const done = await this.#tryOnce(step, repository, run)
        if (done || tries === MOST_TRIES) return
      } catch (error) {
        if (tries === MOST_TRIES || this.closing || this.of.dead) throw error
        this.#judge('try', error)
      }
  }

  /** @returns false where the slot could not be given back in time */
  async #tryOnce(step: OpStep, repository: Repository, run: RunKey): Promise<boolean> {
    const { world } = this
    // Some have little patience, and ask again before it is known what came of the first time.
    const timeoutMs = step.b < 0.5 ? 1 + 2 * world.traits.latencyMs : world.traits.callTimeoutMs
    const request = { repository, run, durable: step.b > 0.85, timeoutMs }
    const first = await this.call('acquire', this.manager.acquireSlot(request), timeoutMs)
    if (first.kind !== 'granted') return true
    const { slot } = first
    // Somebody else here works under it. Else its caller was told that the first try failed, and this is the second one.
    if (first.again && this.#works(slot)) return true
    if (slot.durable) {
      await this.controller.runs(slot)
      return true
    }
    const body = world.bodies.begin(this.of, slot)
    if (body === undefined) return true
    if (step.a < 0.3) await this.#again(body, repository, run)
    await this.pause(step.holdMs, slot.signal)
    world.bodies.end(body, 'done')
    return await this.giveBack(slot, 'completed', step.a > 0.7)
  }

  /** Whether a body of this process runs under the slot. */
  #works({ repository, fencingToken }: Slot): boolean {
    return [...this.world.bodies.running].some(
      (body) => body.of === this.of && body.repository === repository && body.token === fencingToken,
    )
  }

  /** Rule 4: the same holder gets the same lease. */
  async #again(body: Body, repository: Repository, run: RunKey): Promise<void> {
    const { world } = this
    const again = await this.call('acquire again', this.manager.acquireSlot({ repository, run })).catch(
      () => undefined,
    )
    if (again === undefined) return
    if (!world.bodies.running.has(body) || body.freed !== undefined) {
      // The first one was lost meanwhile: this is another one.
      if (again.kind === 'granted') await this.giveBack(again.slot, 'failed', false)
      return
    }
    if (again.kind === 'granted' && again.slot.leaseId !== body.lease)
      world.broken(4, `${run} was granted again under another lease while it is held`)
    if (again.kind === 'granted' && !again.again)
      world.broken(4, `${run} was granted twice to its holder, as if it were new`)
    if (again.kind === 'refused' && again.reason !== 'removed')
      world.broken(4, `${run} was refused (${again.reason}) to the one who holds it`)
  }

  async #durableWait(step: OpStep, repository: Repository, run: RunKey): Promise<void> {
    const { key } = keyed(repository)
    const controller = new AbortController()
    if (step.b < 0.3) void this.pause(step.holdMs).then(() => controller.abort(CHANGED_MIND))
    const answer = this.manager.waitForSlot({ repository, run, durable: true, signal: controller.signal })
    await this.controller.runs(
      await this.wait(key, run, this.call('durable wait', answer, Number.POSITIVE_INFINITY)),
    )
  }

  async #limit(step: OpStep): Promise<void> {
    const word = this.world.words[step.repository]
    if (word === undefined) return
    word.limit = ([1, 2, 3, 5, 0] as const)[Math.floor(step.a * 5)] ?? 1
    word.generation++
    if (step.b < 0.8)
      await this.call(
        'limit',
        this.manager.setRepositoryLimit(this.world.resource(step.repository, step.b < 0.2)),
      )
  }

  async #state(step: OpStep, key: RepositoryKey): Promise<void> {
    const state: RepositoryState = step.a < 0.5 ? 'paused' : 'draining'
    try {
      await this.call('pause', this.manager.setRepositoryState(key, state))
      await this.pause(step.holdMs)
    } finally {
      if (!this.closing && !this.of.dead)
        await this.call('activate', this.manager.setRepositoryState(key, 'active'))
    }
  }

  async #cleanup(step: OpStep): Promise<void> {
    const { world } = this
    const word = world.words[step.repository]
    if (word === undefined) return
    const { uid } = word
    // It asks the store again and again until nothing is left.
    const answer = this.manager.cleanupRepository(world.resource(step.repository))
    const { removed } = await this.call('cleanup', answer, 20 * world.traits.callTimeoutMs)
    // Of what it never knew, the store does not remember that it is gone: a late word of it would pass for a newer life.
    if (word.uid !== uid || removed === 0) return
    word.uid++
    word.generation = 1
  }

  async #look(step: OpStep, repository: Repository, run: RunKey): Promise<void> {
    const { manager } = this
    const info = await this.call('look', manager.getCurrentSlots(repository))
    if (info.running < 0 || info.reserved < 0 || info.orphaned < 0)
      this.world.broken(13, 'a count is negative')
    if (step.a < 0.5) await this.call('explain', manager.explain(repository, run))
    else await this.call('queue', manager.getQueuedPipelineRuns(repository))
    await this.call('list', manager.getRepositories())
    await this.call('state', manager.getPipelineRunState(repository, run))
  }

  async #finish(repository: Repository, run: RunKey): Promise<void> {
    const { key } = keyed(repository)
    if (this.world.cluster.isRunning(key, run)) return
    const { queueManager } = this.manager
    const answer = queueManager.removeAndTakeItemFromQueue(repository, run, { state: 'failed' })
    const next = await this.call('finish', answer, 2 * this.world.traits.callTimeoutMs)
    if (next !== undefined) await this.controller.claim(next)
  }

  #judge(what: string, error: unknown): void {
    if (error === CHANGED_MIND || this.of.dead) return
    if (isSlotkeeperError(error) && EXPECTED.has(error.code)) {
      this.world.log(`${this.of.name}: ${what} ended with ${error.code}`)
      return
    }
    this.world.broken(
      0,
      `${this.of.name}: ${what} threw ${error instanceof Error ? error.stack : String(error)}`,
    )
  }
}

function keyed({ metadata: { namespace, name } }: Repository): { key: RepositoryKey } {
  return { key: `${namespace}/${name}` }
}
