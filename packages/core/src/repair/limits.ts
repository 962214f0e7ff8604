import type { CallOptions } from '../call-options.ts'
import type { Engine } from '../engine.ts'
import type { SlotkeeperError } from '../errors.ts'
import type { RepositoryKey } from '../keys.ts'
import { describeRepository } from '../repository.ts'
import type { RepositoryRow } from '../rows.ts'
import type { Slot } from '../slot.ts'
import type { CheckedRun } from './actual-run.ts'
import type { Repairs } from './repairs.ts'

/** The limits that a listing tells, and what the store says to them. */
export class Limits {
  readonly #engine: Engine
  readonly #repairs: Repairs
  readonly #options: { readonly repair: boolean; readonly call: CallOptions }
  readonly #said = new Set<string>()
  readonly #removed = new Set<string>()
  readonly #failures = new Map<string, SlotkeeperError>()
  readonly #limits = new Map<RepositoryKey, number>()

  constructor(
    engine: Engine,
    repairs: Repairs,
    options: { readonly repair: boolean; readonly call: CallOptions },
  ) {
    this.#engine = engine
    this.#repairs = repairs
    this.#options = options
  }

  /** Says the limit of a repository once, before anything is asked for in it: the store may not know it, or know that it is gone. */
  async say(actual: CheckedRun, row: Pick<RepositoryRow, 'removedUids'>): Promise<void> {
    const { proposal } = describeRepository(actual.repository)
    const life = lifeOf(actual)
    const word = `${life} ${proposal.generation} ${proposal.limit}`
    if (this.#said.has(word)) return
    this.#said.add(word)
    if (!this.#options.repair) {
      if (proposal.uid !== undefined && row.removedUids.includes(proposal.uid)) this.#removed.add(life)
      return
    }
    const repair = await this.#repairs.attempt(async () => {
      const outcome = await this.#engine.perform(
        {
          kind: 'limit',
          repository: actual.key,
          source: 'local',
          proposal,
          ticket: this.#engine.ticket(),
          outcome: undefined,
        },
        this.#options.call,
      )
      if (outcome.kind === 'removed') this.#removed.add(life)
      else this.#limits.set(actual.key, outcome.limit)
      return { kind: 'done' }
    })
    if (repair.kind === 'failed') this.#failures.set(life, repair.error)
  }

  /** Whether the run belongs to a life of its repository that was removed. */
  isRemoved(actual: CheckedRun): boolean {
    return this.#removed.has(lifeOf(actual))
  }

  /** Why the store did not hear of the repository, so that nobody knows whether it was removed. */
  failureOf(actual: CheckedRun): SlotkeeperError | undefined {
    return this.#failures.get(lifeOf(actual))
  }

  /** A slot within the limit has one of its numbers. */
  isBeyond(slot: Slot | undefined): boolean {
    return slot !== undefined && slot.slotNumber === undefined && (this.#limits.get(slot.repository) ?? 0) > 0
  }
}

/** Names one life of a repository. */
function lifeOf({ key, repository }: CheckedRun): string {
  return `${key}\0${repository.metadata.uid ?? ''}`
}
