import assert from 'node:assert/strict'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import {
  type Command,
  type Decide,
  type DomainBatch,
  type Driver,
  type HolderId,
  isSlotkeeperError,
  type RepositoryKey,
  type RepositoryRow,
  type RunKey,
  type RunRow,
  type Snapshot,
  ticketSource,
} from '@slotkeeper/core/driver'

/** The outcome of a kind of command. */
export type OutcomeOf<C extends Command> = NonNullable<C['outcome']>

const PATIENCE_MS = 20_000

/** No test leaves more to do than this. */
const MOST_COMMITS = 5000

let desks = 0

/** Somebody who sends commands to a driver directly, as a Manager does, and may look over the shoulder of `decide`. */
export class Desk {
  readonly driver: Driver
  /** What decides; tests wrap it. */
  decide: Decide
  readonly ticket: () => string
  #holders = 0
  readonly #name = `desk-${process.pid}-${++desks}-${Math.floor(Math.random() * 36 ** 6).toString(36)}`

  constructor(driver: Driver, decide: Decide) {
    this.driver = driver
    this.decide = decide
    this.ticket = ticketSource(this.#name)
  }

  /** A new holder in the store. */
  async holder(ttlMs = Math.max(60_000, this.driver.manifest.minimumTtlMs)): Promise<HolderId> {
    const holder = `${this.#name}-${++this.#holders}` as HolderId
    await this.again(() => this.driver.openHolder(holder, ttlMs))
    return holder
  }

  /** Has one command decided. */
  async send<C extends Command>(command: C): Promise<OutcomeOf<C>> {
    const [outcome] = await this.sendAll([command])
    return outcome as OutcomeOf<C>
  }

  /** Has commands of one repository decided together; those that found no room in the first commit, in the next. */
  async sendAll<C extends Command>(commands: readonly C[]): Promise<OutcomeOf<C>[]> {
    let left = commands
    while (left.length > 0) {
      const batch = await this.transact((left[0] as C).repository, left)
      assert.ok(
        batch.decision !== undefined && batch.decision.decided > 0,
        'A decision decides at least one command.',
      )
      left = left.slice(batch.decision.decided)
    }
    return commands.map((command) => command.outcome as OutcomeOf<C>)
  }

  /** One commit for one domain. Retryable failures are asked again. */
  async transact(domain: string, commands: readonly Command[] = [], by?: HolderId): Promise<DomainBatch> {
    return this.again(async () => {
      const batch = batchOf(domain, commands, by)
      await this.driver.transact([batch], this.decide)
      if (batch.error !== undefined) throw batch.error
      assert.ok(
        batch.decision !== undefined,
        `The driver answered for ${domain} with neither a decision nor an error.`,
      )
      return batch
    })
  }

  /** What a Manager does at its heartbeats: claims domains that need a decision and decides for them. */
  async tidy(): Promise<readonly string[]> {
    const { domains } = await this.again(() => this.driver.sweep(64))
    for (const domain of domains) await this.settle(domain)
    return domains
  }

  /** Decides for a domain until there is nothing more to do. */
  async settle(domain: string): Promise<void> {
    for (let commits = 0; commits < MOST_COMMITS; commits++) {
      if ((await this.transact(domain)).decision?.more !== true) return
      // A synchronous driver must not keep everybody else from going on.
      await setImmediate()
    }
    assert.fail(`After ${MOST_COMMITS} commits in ${domain} there was still more to do.`)
  }

  async row(repository: RepositoryKey, run: RunKey): Promise<RunRow | undefined> {
    const { runs } = await this.again(() => this.driver.read({ kind: 'runs', runs: [{ repository, run }] }))
    return runs[0]
  }

  /** A repository with all its slots and entries. */
  read(repository: RepositoryKey): Promise<Snapshot> {
    const all = Number.MAX_SAFE_INTEGER
    return this.again(() => this.driver.read({ kind: 'repository', repository, slots: all, waiting: all }))
  }

  async repository(repository: RepositoryKey): Promise<RepositoryRow | undefined> {
    const { repositories } = await this.again(() =>
      this.driver.read({ kind: 'repository', repository, slots: 0, waiting: 0 }),
    )
    return repositories[0]
  }

  /** Repeats what failed and may pass, as every caller of a driver does. */
  async again<T>(work: () => T | Promise<T>): Promise<T> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;)
      try {
        return await work()
      } catch (error) {
        const passes =
          isSlotkeeperError(error) && error.retryable && !isSlotkeeperError(error, 'SLOTKEEPER_HOLDER_LOST')
        if (!passes || performance.now() > deadline) throw error
        await sleep(5)
      }
  }
}

/** A batch for one domain, as a Manager would send it. */
export function batchOf(domain: string, commands: readonly Command[], by?: HolderId): DomainBatch {
  return { domain, by, commands, decision: undefined, error: undefined, events: [], done() {} }
}
