import { Manager, type Repository, type RepositoryKey, type RunKey, repository } from '@slotkeeper/core'
import type { Driver, HolderId, Manifest, RunRow, StoreEvent } from '@slotkeeper/core/driver'
import { Random } from '../conformance/random.ts'
import { Actor } from './actor.ts'
import { type AuditHost, Auditor, type Cause } from './auditor.ts'
import { Bodies, type BodiesHost } from './bodies.ts'
import { Cluster } from './cluster.ts'
import { type Call, Coverage, type Fault } from './coverage.ts'
import { FakeStore } from './fake-store.ts'
import { Wire } from './network.ts'
import type { FaultStep, Plan, Traits } from './plan.ts'
import { Scheduler } from './scheduler.ts'
import { type DriverHost, SimulatedDriver } from './simulated-driver.ts'
import { SimulatedProcess } from './simulated-process.ts'
import type { BrokenRule, RuleNumber } from './violation.ts'

/** What a repository says of itself at the moment. */
interface Word {
  limit: number
  uid: number
  generation: number
}

/** Everything of one simulated world: time, store, wires, processes, and those who watch the rules from outside. */
export class World implements AuditHost, BodiesHost, DriverHost {
  readonly scheduler = new Scheduler()
  readonly traits: Traits
  readonly manifest: Manifest
  readonly mode: Traits['mode']
  readonly store: FakeStore
  readonly bodies: Bodies
  readonly cluster = new Cluster()
  readonly coverage = new Coverage()
  readonly words: Word[]
  readonly actors: (Actor | undefined)[] = []
  readonly brokenRules: BrokenRule[] = []
  readonly history: string[] = []
  readonly random: Random
  committer: SimulatedProcess | undefined
  /** No faults and no new wishes any more. */
  calm = false
  /** Whoever closes does not come again. */
  ending = false
  readonly #power = { up: true }
  readonly #tracing: boolean
  readonly #alter: (driver: Driver) => Driver
  readonly #seed: number
  #traps: (FaultStep & { kind: 'trap' })[] = []
  #lives = 0
  #outages = 0

  constructor(
    plan: Plan,
    { trace, alter }: { trace: boolean; alter: ((driver: Driver) => Driver) | undefined },
  ) {
    this.#seed = plan.seed
    this.#tracing = trace
    this.#alter = alter ?? ((driver) => driver)
    this.traits = plan.traits
    this.mode = plan.traits.mode
    this.random = this.stream(1)
    const { budget, clockLagMs, backstopMs, wallTokens } = plan.traits
    this.manifest = {
      scope: 'network',
      synchronous: false,
      wakes: 'push',
      minimumTtlMs: 1,
      clockLagMs,
      budget,
      backstopMs,
    }
    const rate = 1 - this.random.next() / 1000
    // The wall clock of the store is set back now and then.
    const wall = () =>
      Date.UTC(2026, 0, 1) + this.scheduler.now - (Math.floor(this.scheduler.now / 1700) % 3) * 900
    this.bodies = new Bodies(this)
    this.store = new FakeStore(
      { budget, clockLagMs, wallTokens },
      { time: () => 5000 + this.scheduler.now * rate, wall },
      new Auditor(this),
    )
    this.words = Array.from({ length: plan.traits.repositories }, () => ({
      limit: 1 + this.random.below(3),
      uid: 1,
      generation: 1,
    }))
  }

  /** Random numbers of their own for a part, so that leaving out a step changes little elsewhere. */
  stream(part: number): Random {
    return new Random(Math.imul(this.#seed + 7, 0x85ebca6b) ^ Math.imul(part, 0xc2b2ae35))
  }

  get marginMs(): number {
    return this.traits.ttlMs / 10
  }

  get now(): number {
    return this.scheduler.now
  }

  get alive(): readonly Actor[] {
    return this.actors.filter((actor): actor is Actor => actor !== undefined && !actor.of.dead)
  }

  broken(rule: RuleNumber | string, message = String(rule)): void {
    const number = typeof rule === 'number' ? rule : 0
    this.log(`BROKEN ${number}. ${message}`)
    this.brokenRules.push({ rule: number, message, at: this.now })
  }

  log(text: string): void {
    if (this.#tracing) this.history.push(`${this.now.toFixed(1).padStart(8)} ${text}`)
  }

  /** Begins another life of a process. */
  spawn(index: number): Actor {
    const life = ++this.#lives
    const random = this.stream(100 + index * 50 + life)
    const of = new SimulatedProcess(`p${index}.${life}`, index, this.scheduler, {
      offsetMs: random.below(100_000),
      rate: 1 + (random.next() - 0.5) / 50,
      wallMs: (random.next() - 0.5) * 3_600_000,
    })
    const wire = new Wire(of, {
      random,
      scheduler: this.scheduler,
      traits: this.traits,
      store: this.#power,
      coverage: this.coverage,
      tracing: this.#tracing,
      trap: (from, calls) => this.#spring(from, calls),
      log: (text) => this.log(text),
    })
    const driver = new SimulatedDriver(
      this,
      wire,
      random.chance(0.5) ? 0 : random.next() * this.traits.clockLagMs,
    )
    const { ttlMs, callTimeoutMs, claimTimeoutMs, leaseTtlMs } = this.traits
    const numbers = this.stream(5000 + index * 50 + life)
    const manager = new Manager({
      driver: this.#alter(driver),
      label: of.name,
      holderTtlMs: ttlMs,
      callTimeoutMs,
      claimTimeoutMs,
      leaseTtlMs,
      recordTtlMs: 60_000,
      clock: of.clock,
      random: () => numbers.next(),
    })
    of.manager = manager
    of.onResume = () => this.bodies.resumed(of)
    const actor = new Actor(this, of, driver)
    this.actors[index] = actor
    this.log(`${of.name} starts`)
    actor.begin()
    return actor
  }

  key(index: number): RepositoryKey {
    return `acme/repo-${index}`
  }

  run(index: number): RunKey {
    return `acme/run-${index}`
  }

  /** The resource as somebody sees it; `old`: who has not heard of the last change. */
  resource(index: number, old = false): Repository {
    const word = this.words[index] as Word
    if (!this.traits.uids) return repository(this.key(index), { concurrencyLimit: word.limit })
    const stale = old && word.generation > 1
    return {
      metadata: {
        namespace: 'acme',
        name: `repo-${index}`,
        uid: `uid-${word.uid}`,
        generation: word.generation - (stale ? 1 : 0),
      },
      spec: { concurrencyLimit: stale ? 1 + (word.limit % 3) : word.limit },
    }
  }

  // What happens to it.

  apply(step: FaultStep): void {
    if (this.calm) return
    switch (step.kind) {
      case 'wire': {
        const actor = this.actors[step.process]
        if (actor === undefined || actor.of.dead) return
        this.log(`${actor.of.name}: ${step.fault} for ${Math.round(step.ms)} ms`)
        actor.driver.wire.put(step.fault, step.ms)
        this.#touch(actor)
        actor.of.failed = true
        if (step.fault === 'partition' || step.fault === 'deaf') this.#resyncLater(actor, step.ms)
        return
      }
      case 'stall':
      case 'suspend': {
        const actor = this.actors[step.process]
        if (actor === undefined || actor.of.dead) return
        this.log(`${actor.of.name}: ${step.kind} for ${Math.round(step.ms)} ms`)
        actor.driver.wire.interrupted(step.kind)
        this.#touch(actor)
        actor.of[step.kind](step.ms)
        return
      }
      case 'trap':
        this.#traps.push(step)
        return
      case 'crash':
        return this.crash(step.process, step.ms, 'crash')
      case 'break-watch': {
        const actor = this.actors[step.process]
        if (actor === undefined || actor.of.dead) return
        this.#touch(actor)
        this.log(`${actor.of.name}: its watch breaks`)
        this.scheduler.after(0, () => actor.driver.breakWatch(), actor.of)
        return
      }
      case 'outage':
        return this.#outage(step.ms)
      case 'restart-all':
        for (const [index, actor] of this.actors.entries())
          if (actor !== undefined) this.crash(index, step.ms + 20 * index, 'restart-all')
        return this.#outage(step.ms)
    }
  }

  /** Does what was to happen as soon as somebody makes such a call. */
  #spring(wire: Wire, calls: readonly Call[]): void {
    if (this.#traps.length === 0 || this.calm) return
    const sprung = this.#traps.filter(({ call }) => calls.includes(call))
    if (sprung.length === 0) return
    this.#traps = this.#traps.filter((trap) => !sprung.includes(trap))
    for (const { fault, ms } of sprung) {
      const { index } = wire.of
      const soon = wire.latency() * wire.random.pick([0.2, 1, 2])
      switch (fault) {
        case 'crash':
        case 'stall':
        case 'suspend':
          this.scheduler.after(soon, () => this.apply({ kind: fault, at: 0, process: index, ms }))
          break
        case 'outage':
        case 'restart-all':
          this.scheduler.after(fault === 'outage' ? 0 : soon, () => this.apply({ kind: fault, at: 0, ms }))
          break
        case 'hint-dropped':
        case 'hint-late':
          for (const actor of this.alive)
            if (actor.driver.wire !== wire) {
              actor.of.touched = true
              actor.driver.wire.putSurely(fault, 400)
            }
          break
        case 'conflict':
          break
        default:
          wire.of.touched = wire.of.failed = true
          wire.putSurely(fault, 300)
          if (fault === 'partition' || fault === 'deaf') this.#resyncLater(this.actors[index], 300)
      }
      this.log(`${wire.of.name}: ${fault} springs at ${calls.join('+')}`)
    }
  }

  crash(index: number, downMs: number, why: Fault): void {
    const actor = this.actors[index]
    if (actor === undefined || actor.of.dead) return
    this.log(`${actor.of.name} dies`)
    actor.driver.wire.interrupted(why)
    this.end(actor)
    this.scheduler.after(downMs, () => {
      if (this.actors[index] === actor) this.spawn(index)
    })
  }

  /** The process is gone, and everything of it. */
  end(actor: Actor): void {
    actor.of.die()
    actor.driver.close()
    this.bodies.died(actor.of)
  }

  #outage(ms: number): void {
    this.log(`the store is down for ${Math.round(ms)} ms`)
    this.#power.up = false
    const mine = ++this.#outages
    for (const actor of this.alive) {
      this.#touch(actor)
      actor.of.failed = true
      actor.driver.wire.interrupted('outage')
      this.#resyncLater(actor, ms)
    }
    this.scheduler.after(
      ms,
      () => {
        if (mine !== this.#outages) return
        this.log('the store is up')
        this.store.start()
        this.#power.up = true
      },
      undefined,
      true,
    )
  }

  get storeIsUp(): boolean {
    return this.#power.up
  }

  /** Everything is well from now on. */
  heal(): void {
    this.calm = true
    if (!this.#power.up) {
      this.store.start()
      this.#power.up = true
    }
    for (const actor of this.alive) actor.driver.wire.heal()
    for (let index = 0; index < this.traits.processes; index++)
      if (this.actors[index] === undefined || this.actors[index]?.of.dead === true) this.spawn(index)
    this.log('all is well')
  }

  #touch(actor: Actor): void {
    actor.of.touched = true
  }

  /** The watch of a cut connection finds out, and says that hints may have been missed. */
  #resyncLater(actor: Actor | undefined, ms: number): void {
    if (actor === undefined) return
    const found = () => (this.random.chance(0.5) ? actor.driver.breakWatch() : actor.driver.resync())
    this.scheduler.after(ms + actor.driver.wire.latency(), found, actor.of)
  }

  // What drivers tell.

  tell(from: SimulatedDriver, events: readonly StoreEvent[], calls: readonly Call[]): void {
    for (const { driver, of } of this.alive) {
      if (driver === from || !driver.isWatching) continue
      const { wire } = driver
      // Who cannot be reached hears of it when the watch is found broken.
      if (wire.has('partition') || wire.has('deaf')) continue
      for (const event of events) {
        if (wire.strikes('hint-dropped', calls)) {
          this.scheduler.after(100 + wire.extraDelay(), () => driver.resync(), of)
          continue
        }
        const late = wire.strikes('hint-late', calls) ? wire.extraDelay() : 0
        this.scheduler.after(wire.latency() + late, () => driver.hear(event), of)
      }
    }
  }

  commits(as: SimulatedProcess | undefined, work: () => boolean): boolean {
    this.committer = as
    try {
      return work()
    } finally {
      this.committer = undefined
    }
  }

  opened(holder: HolderId, by: SimulatedDriver, attempts: number): void {
    this.#lookAt(holder)
    const actor = this.alive.find(({ driver }) => driver === by)
    if (attempts === 1) actor?.expectPlaces()
  }

  /** Looks at a holder at the moment at which its time is over, if it is by then. */
  #lookAt(holder: HolderId): void {
    const row = this.store.holders.get(holder)
    if (row === undefined) return
    const left = row.expiresAt - this.store.now(0)
    // A commit may have noticed it first.
    if (row.dead || (left < 0 && this.#power.up)) return this.bodies.expired(holder)
    this.scheduler.after(left < 0 ? 100 : left + 1, () => this.#lookAt(holder), undefined, true)
  }

  // What commits did.

  granted(row: RunRow, limit: number): void {
    this.log(
      `  grant ${row.repository} ${row.run} ${row.phase} token ${row.token} number ${row.number} (limit ${limit})`,
    )
    this.bodies.granted(row, limit)
    for (const actor of this.alive) actor.expect(row)
  }

  freed(row: RunRow, cause: Cause): void {
    this.log(`  free ${row.repository} ${row.run} ${row.phase} token ${row.token}: ${cause}`)
    this.bodies.freed(row, cause)
    if (!row.durable) return
    const { repository: key, run } = row
    const kept =
      cause === 'withdrawn' || cause === 'requeued' || cause === 'replaced' || cause === 'holder-dead'
    if (this.cluster.isRunning(key, run) && (kept || (cause === 'due' && row.phase !== 'orphaned')))
      this.broken(8, `the durable slot of ${run} was freed (${cause}, ${row.phase}) while its run goes on`)
    this.cluster.forget(key, run)
  }

  orphaned(row: RunRow): void {
    this.log(`  orphan ${row.repository} ${row.run} token ${row.token}`)
  }
}
