import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Command,
  type Decide,
  type DomainBatch,
  type Driver,
  type HolderId,
  isSlotkeeperError,
  type Policy,
  type RepositoryKey,
} from '@slotkeeper/core/driver'
import { removeRepository } from '../conformance/commands.ts'
import { batchOf, Desk } from '../conformance/desk.ts'
import { plainOutcome, plainRun } from './allowances.ts'
import { atOnce } from './at-once.ts'
import { Callers, repositoriesOf } from './callers.ts'
import { type Difference, differences } from './difference.ts'
import { Disagreement, disagreement } from './disagreement.ts'
import { eventDifferences } from './event-differences.ts'
import { Model } from './model.ts'
import type { Program, Step } from './program.ts'
import { Reader } from './reader.ts'
import { ruleNamed } from './rule-of.ts'
import { Onlooker } from './seen.ts'
import { Transcript } from './transcript.ts'

/** A store under test, with drivers on it, all opened. */
export interface Bench {
  readonly drivers: readonly Driver[]
  readonly decide: Decide
  readonly policy: Policy
  /** Lets store time go on. */
  readonly advance: (ms: number) => void | Promise<void>
  /** The TTL in ms of holders that are meant to die. */
  readonly shortMs: number
  /** How many sequences the store has seen before; each has names of its own. */
  readonly sequence: number
}

/** The commands of one domain, and who sends them. */
interface Sent {
  readonly domain: RepositoryKey
  readonly by: HolderId | undefined
  readonly commands: readonly Command[]
}

const NOTHING_SENT: Pick<Sent, 'domain' | 'by' | 'commands'> = { domain: '/', by: undefined, commands: [] }
const LONG_MS = 600_000
/** No program leaves more to do than this. */
const MOST_COMMITS = 60
/** How long a store may be unavailable, and a sweep fail to find what is due. */
const PATIENCE_MS = 5_000

/** Runs one program against drivers and against the model, step by step, and compares all that can be seen. */
export class SideBySide {
  readonly transcript = new Transcript()
  readonly #bench: Bench
  readonly #model: Model
  readonly #callers: Callers
  readonly #reader: Reader
  readonly #onlookers: readonly Onlooker[]
  readonly #transactions: (readonly Sent[])[] = []
  /** What each holder was told of its epoch, by the driver and by the model. */
  readonly #epochs = new Map<HolderId, { driver: number; model: number }>()
  /** Domains that a sweep has named: they may be left to whoever claimed them for some time. */
  readonly #claimed = new Set<string>()

  readonly #repositories: readonly RepositoryKey[]

  constructor(bench: Bench, limits: Program['limits']) {
    const [first] = bench.drivers as readonly [Driver]
    this.#bench = bench
    this.#model = new Model(bench.decide, first.manifest)
    this.#callers = new Callers(this.#model, limits, bench.sequence)
    this.#repositories = repositoriesOf(bench.sequence)
    this.#reader = new Reader(this.#model, this.#repositories)
    this.#onlookers = bench.drivers.map(() => new Onlooker(bench.decide))
  }

  /** @throws Disagreement where the driver is not as the model is */
  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#step(step)
    this.transcript.step('at the end everything is settled, and read')
    for (const domain of this.#repositories) {
      await this.#settle(0, domain)
      await this.#reader.compareDomain(this.#driver(1), domain)
    }
    for (const holder of this.#model.store.holders.keys())
      await this.#reader.compare(this.#driver(1), { kind: 'holder', holder })
    await this.#reader.comparePage(this.#driver(0), this.#repositories.length, false)
  }

  /** Leaves nothing for the next sequence on this store. */
  async tidy(): Promise<void> {
    const [driver] = this.#bench.drivers as readonly [Driver]
    const desk = new Desk(driver, this.#bench.decide)
    for (const holder of this.#model.store.holders.keys()) await driver.closeHolder(holder)
    for (const repository of this.#repositories) {
      await desk.send(removeRepository({ repository, ticket: desk.ticket() }))
      await desk.settle(repository)
    }
  }

  async #step(step: Step): Promise<void> {
    const { transcript } = this
    switch (step.kind) {
      case 'transact': {
        for (const { commands } of step.batches)
          for (const caller of this.#callers.without(commands)) await this.#open(step.driver, caller, true)
        const sent = step.batches.map(({ repository, caller, commands }) => {
          const domain = this.#repositories[repository] as RepositoryKey
          return {
            domain,
            by: this.#callers.holderOf(caller),
            commands: this.#callers.commands(domain, commands),
          }
        })
        this.#transactions.push(sent)
        transcript.step(`driver ${step.driver} decides`)
        return this.#transact(step.driver, sent, false)
      }
      case 'repeat': {
        const last = this.#transactions.at(-1 - step.back)
        if (last === undefined) return
        const sent = last.map((one) => ({
          ...one,
          commands: this.#callers.again(one.commands, step.rehomed),
        }))
        transcript.step(`driver ${step.driver} decides again what was asked before`)
        return this.#transact(step.driver, sent, step.back === 0)
      }
      case 'open':
        return this.#open(step.driver, step.caller, step.short)
      case 'heartbeat':
        return this.#heartbeat(step.driver, step.caller)
      case 'close': {
        const holder = this.#callers.holderOf(step.caller)
        if (holder === undefined) return
        transcript.step(`driver ${step.driver} closes ${holder}`)
        await this.#driver(step.driver).closeHolder(holder)
        const known = this.#model.store.holders.get(holder)
        if (known !== undefined) known.dead = true
        return
      }
      case 'advance': {
        const { ms = this.#bench.shortMs + 1 } = step
        transcript.step(`${ms} ms pass`)
        return this.#bench.advance(ms)
      }
      case 'sweep':
        return this.#sweep(step.driver)
      case 'read': {
        transcript.step(`driver ${step.driver} reads`)
        const holder = this.#callers.holderOf(step.pick % 4)
        return this.#reader.compareSome(this.#driver(step.driver), step.pick, holder)
      }
    }
  }

  async #transact(driver: number, sent: readonly Sent[], repeated: boolean): Promise<void> {
    let left = sent
    for (let commits = 0; left.length > 0; commits++) {
      if (commits > MOST_COMMITS)
        throw new Disagreement(
          ruleNamed('7'),
          `After ${commits} commits some commands are still not decided.`,
        )
      const batches = await this.#commit(driver, left)
      const after: Sent[] = []
      const onlooker = this.#onlookers[driver] as Onlooker
      // Each domain is decided by itself, in whatever order.
      const inOrder = [...batches.entries()].sort(
        ([, a], [, b]) => onlooker.timeOf(a.domain) - onlooker.timeOf(b.domain),
      )
      for (const [at, batch] of inOrder) {
        const { domain, by, commands } = left[at] as Sent
        this.transcript.note(
          `${domain}, by ${by ?? 'nobody'}:${batch.commands.length === 0 ? ' no commands' : ''}`,
        )
        for (const command of batch.commands) this.transcript.command(command)
        this.#compare(driver, batch, commands, repeated)
        const decided = batch.decision?.decided ?? 0
        if (decided < commands.length) after.push({ domain, by, commands: commands.slice(decided) })
      }
      for (const { domain } of left) await this.#reader.compareDomain(this.#driver(driver + 1), domain)
      left = after
    }
  }

  /** Where the driver's store is this process's own, every other driver goes the way that a Manager would go first. */
  #atOnce(driver: number, sent: readonly Sent[]): DomainBatch | undefined {
    const [
      {
        domain,
        by,
        commands: [command, ...others],
      } = NOTHING_SENT,
      ...more
    ] = sent
    if (driver % 2 === 0 || more.length > 0 || others.length > 0) return undefined
    if (command?.kind !== 'acquire' && command?.kind !== 'release') return undefined
    const { policy } = this.#bench
    const alone = { domain, by, command: { ...command } }
    return atOnce(this.#driver(driver), alone, this.#onlookers[driver] as Onlooker, policy)
  }

  /** Has the driver decide copies of the commands. What is away for a moment is asked again, as everybody does. */
  async #commit(driver: number, sent: readonly Sent[]): Promise<DomainBatch[]> {
    const direct = this.#atOnce(driver, sent)
    if (direct !== undefined) return [direct]
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const batches = sent.map(({ domain, by, commands }) =>
        batchOf(
          domain,
          commands.map((command) => ({ ...command })),
          by,
        ),
      )
      const { decide } = this.#onlookers[driver] as Onlooker
      await this.#driver(driver).transact(batches, decide)
      const { error } = batches.find((batch) => batch.error !== undefined) ?? {}
      if (error === undefined) return batches
      if (!error.retryable || performance.now() > deadline) throw error
      await sleep(5)
    }
  }

  /** Has the model decide the same, and compares what came of it. */
  #compare(driver: number, batch: DomainBatch, commands: readonly Command[], repeated: boolean): void {
    const { domain, by, decision } = batch
    if (decision === undefined)
      throw new Disagreement(
        ruleNamed('contract'),
        `The driver answered for ${domain} with neither a decision nor an error.`,
      )
    const seen = (this.#onlookers[driver] as Onlooker).take(domain)
    if (seen === undefined)
      throw new Disagreement(ruleNamed('contract'), `Nothing was decided for ${domain}.`)
    const asked = commands.map((command) => ({ ...command }))
    const model = this.#model.decide(domain, by, asked, seen)
    const found: Difference[] = [
      ...batch.commands.flatMap((command, at) =>
        differences(
          `${command.kind}.outcome`,
          plainOutcome(command.outcome),
          plainOutcome(asked[at]?.outcome),
        ),
      ),
      ...differences(
        'decision.granted',
        decision.granted.map(plainRun),
        model.decision.granted.map(plainRun),
      ),
      ...differences('decision.decided', decision.decided, model.decision.decided),
      ...differences('decision.more', decision.more, model.decision.more),
      ...eventDifferences(batch, model),
    ]
    if (found.length > 0) throw disagreement(found, repeated)
  }

  async #settle(driver: number, domain: RepositoryKey): Promise<void> {
    for (let commits = 0; ; commits++) {
      if (commits > MOST_COMMITS)
        throw new Disagreement(
          ruleNamed('7'),
          `After ${commits} commits there is still more to do in ${domain}.`,
        )
      const [batch] = await this.#commit(driver, [{ domain, by: undefined, commands: [] }])
      this.#compare(driver, batch as DomainBatch, [], false)
      if (batch?.decision?.more !== true) return
    }
  }

  async #open(driver: number, caller: number, short: boolean): Promise<void> {
    const holder = this.#callers.nextHolder(caller)
    const ttlMs = short ? this.#bench.shortMs : LONG_MS
    this.transcript.step(`driver ${driver} opens ${holder} for ${ttlMs} ms`)
    const askedAt = performance.now()
    const term = await this.#driver(driver).openHolder(holder, ttlMs)
    this.#model.tell(term.now, `opening ${holder}`)
    if (term.ttlMs !== ttlMs)
      throw new Disagreement(
        ruleNamed('contract'),
        `The term of ${holder} is ${term.ttlMs} ms, not ${ttlMs} ms.`,
      )
    this.#model.openHolder(holder, ttlMs, term.now, askedAt)
    this.#epochs.set(holder, { driver: term.epoch, model: 0 })
  }

  async #heartbeat(driver: number, caller: number): Promise<void> {
    const holder = this.#callers.holderOf(caller)
    const known = holder === undefined ? undefined : this.#model.store.holders.get(holder)
    if (holder === undefined || known === undefined) return
    this.transcript.step(`driver ${driver} sends a heartbeat of ${holder}`)
    const on = this.#driver(driver)
    const askedAt = performance.now()
    try {
      const term = await on.heartbeat(holder)
      this.#model.tell(term.now, `the heartbeat of ${holder}`)
      this.#model.beaten(holder, term.now, askedAt)
      const told = this.#epochs.get(holder)
      if (told === undefined) return
      if (term.epoch > told.driver !== known.epoch > told.model)
        throw new Disagreement(
          ruleNamed('9'),
          `The epoch of ${holder} went from ${told.driver} to ${term.epoch}, although ${known.epoch > told.model ? 'a slot was' : 'nothing was'} taken from it.`,
        )
      this.#epochs.set(holder, { driver: term.epoch, model: known.epoch })
    } catch (error) {
      if (!isSlotkeeperError(error, 'SLOTKEEPER_HOLDER_LOST')) throw error
      const { now } = await on.read({ kind: 'repositories', after: '', first: 1 })
      this.#model.lost(holder, now)
    }
  }

  /** What a sweep names is decided; what is due, and nobody has claimed yet, it must name. */
  async #sweep(driver: number): Promise<void> {
    const on = this.#driver(driver)
    const { now } = await on.read({ kind: 'repositories', after: '', first: 1 })
    this.#model.tell(now, 'a read')
    const wanted = new Set(this.#model.needy(now).filter((domain) => !this.#claimed.has(domain)))
    const deadline = performance.now() + PATIENCE_MS
    this.transcript.step(`driver ${driver} sweeps`)
    for (;;) {
      const { domains } = await on.sweep(64)
      this.transcript.note(`finds ${domains.join(', ') || 'nothing'}`)
      for (const domain of domains) {
        wanted.delete(domain)
        this.#claimed.add(domain)
        if (!this.#repositories.includes(domain as RepositoryKey)) {
          await new Desk(on, this.#bench.decide).settle(domain)
          continue
        }
        await this.#settle(driver, domain as RepositoryKey)
        if (this.#model.needy(now).includes(domain))
          throw new Disagreement(
            ruleNamed('8'),
            `A sweep named ${domain}, but its decision did not show what is due there.`,
          )
        await this.#reader.compareDomain(this.#driver(driver + 1), domain as RepositoryKey)
      }
      if (wanted.size === 0) return
      if (performance.now() > deadline)
        throw new Disagreement(
          ruleNamed('8'),
          `Sweeps did not find ${[...wanted].join(', ')} within ${PATIENCE_MS} ms, although something is due there.`,
        )
      await sleep(10)
    }
  }

  #driver(at: number): Driver {
    return this.#bench.drivers[at % this.#bench.drivers.length] as Driver
  }
}
