import type { CallOptions } from '../call-options.ts'
import type { AcquireCommand } from '../commands.ts'
import type { Engine } from '../engine.ts'
import { isSlotkeeperError, type RefusalReason } from '../errors.ts'
import type { HolderId, RepositoryKey, RunKey } from '../keys.ts'
import { isAlive, type RunRow } from '../rows.ts'
import type { Slot } from '../slot.ts'
import { acquireCommand } from '../slot-request.ts'
import type { CheckedRun } from './actual-run.ts'
import type { Audit } from './audit.ts'
import type { Repair } from './drift.ts'
import type { Ending } from './ending.ts'
import { loseTaken } from './force-release.ts'

/** How many repairs are under way together. */
const PIECE = 200

/** What repairs are told. */
export interface RepairsOptions {
  /** False: nothing is done, everything is planned. */
  readonly repair: boolean
  readonly audit: Audit
  readonly call: CallOptions
}

/** The row of a run as it was read, and whether a living holder keeps its slot. */
export interface Seen {
  readonly row: RunRow
  readonly kept: boolean
}

/** Names a run in a map. No key has a NUL, so no two runs have one name. */
export function nameOf(key: RepositoryKey, run: RunKey): string {
  return `${key}\0${run}`
}

/** What may be done about a drift. Each is conditional on the lease or the sequence that was seen. */
export class Repairs {
  readonly #engine: Engine
  readonly #options: RepairsOptions

  constructor(engine: Engine, options: RepairsOptions) {
    this.#engine = engine
    this.#options = options
  }

  /** Reads the rows of some runs, by `nameOf`. */
  async look(runs: readonly CheckedRun[]): Promise<ReadonlyMap<string, Seen>> {
    const seen = new Map<string, Seen>()
    if (runs.length === 0) return seen
    const named = new Map(runs.map(({ key, run }) => [nameOf(key, run), { repository: key, run }]))
    const { driver } = this.#engine
    const snapshot = await this.#engine.read('Reading runs', this.#options.call, (signal) =>
      driver.read({ kind: 'runs', runs: [...named.values()] }, signal),
    )
    const alive = new Set(
      snapshot.holders.filter((row) => isAlive(row, snapshot.now)).map((row) => row.holder),
    )
    for (const row of snapshot.runs)
      seen.set(nameOf(row.repository, row.run), {
        row,
        kept: row.phase === 'running' && row.holder !== undefined && alive.has(row.holder),
      })
    return seen
  }

  /** Takes over the slot of a run that runs, or makes one. */
  async adopt(actual: CheckedRun): Promise<{ readonly repair: Repair; readonly slot: Slot | undefined }> {
    const engine = this.#engine
    const { claimTimeoutMs, leaseTtlMs } = engine.options
    const { key: repository, run, runUid } = actual
    let slot: Slot | undefined
    const repair = await this.attempt(async () => {
      const outcome = await engine.perform(
        {
          kind: 'adopt',
          repository,
          run,
          ticket: engine.ticket(),
          holder: '' as HolderId,
          validUntil: 0,
          beyond: { runUid, claimTimeoutMs, leaseTtlMs },
          audit: this.#options.audit,
          outcome: undefined,
        },
        this.#options.call,
      )
      if (outcome.kind === 'refused') return refused(outcome.reason)
      if (outcome.kind !== 'granted' || outcome.again) return { kind: 'overtaken' }
      slot = engine.acquired(outcome.row, false, 0)
      return { kind: 'done' }
    })
    return { repair, slot }
  }

  /** Ends a slot or an entry. */
  end({ key, run, token, sequence, state }: Ending): Promise<Repair> {
    const engine = this.#engine
    const { audit, call } = this.#options
    return this.attempt(async () => {
      const base = { repository: key, run, ticket: engine.ticket(), outcome: undefined } as const
      if (token === undefined) {
        const seen = { sequence, state }
        const { kind } = await engine.perform({ kind: 'remove', ...base, seen, audit }, call)
        return { kind: kind === 'removed' ? 'done' : 'overtaken' }
      }
      const { kind } = await engine.perform({ kind: 'release', ...base, token, state, force: audit }, call)
      if (kind !== 'released') return { kind: 'overtaken' }
      loseTaken(engine, key, run, token)
      return { kind: 'done' }
    })
  }

  /** Gives a slot back: its run never started. */
  requeue({ key, run }: CheckedRun, token: number): Promise<Repair> {
    const engine = this.#engine
    const { audit, call } = this.#options
    return this.attempt(async () => {
      const base = { repository: key, run, ticket: engine.ticket(), outcome: undefined } as const
      const { kind } = await engine.perform({ kind: 'requeue', ...base, token, delayMs: 0, audit }, call)
      return { kind: kind === 'requeued' ? 'done' : 'overtaken' }
    })
  }

  /** Queues runs of one repository in their order; their repairs, in the same order. */
  async enqueue(runs: readonly CheckedRun[]): Promise<readonly Promise<Repair>[]> {
    const engine = this.#engine
    const { repair, audit, call } = this.#options
    if (!repair) return runs.map(() => Promise.resolve({ kind: 'planned' }))
    // Since they were looked up somebody else may have seen to them.
    const seen = await this.look(runs)
    const commands = new Map<CheckedRun, AcquireCommand>()
    for (const actual of runs) {
      const phase = seen.get(nameOf(actual.key, actual.run))?.row.phase
      if (phase === undefined || phase === 'record')
        commands.set(actual, { ...enqueueCommand(engine, actual), audit })
    }
    const sent = [...commands.values()]
    const results = sent.length === 0 ? [] : await engine.performAll(sent, call)
    return runs.map((actual) => {
      const command = commands.get(actual)
      if (command === undefined) return Promise.resolve({ kind: 'overtaken' })
      const result = results[sent.indexOf(command)]
      return this.attempt(async () => {
        if (result?.status === 'rejected') throw result.reason
        const outcome = result?.value
        if (outcome?.kind === 'refused') return refused(outcome.reason)
        const isRow = outcome?.kind === 'waiting' || outcome?.kind === 'granted'
        // A durable row keeps the ticket of whoever was first.
        return { kind: isRow && outcome.row.ticket === command.ticket ? 'done' : 'overtaken' }
      })
    })
  }

  /**
   * Does something about each, so many at a time.
   * @throws the store's failure when it fails for every one of them: then it is away, and going on would only take time
   */
  async each<T>(all: readonly T[], work: (one: T) => Promise<Repair>): Promise<void> {
    for (let at = 0; at < all.length; at += PIECE) {
      const repairs = await Promise.all(all.slice(at, at + PIECE).map(work))
      const failures = repairs.filter((repair) => repair.kind === 'failed')
      if (failures.length > 0 && failures.length === repairs.length) throw failures[0]?.error
    }
  }

  /** Does it, unless this is a dry run. What the store fails for one run is that run's repair, and stops no other. */
  async attempt(work: () => Promise<Repair>): Promise<Repair> {
    const { repair, call } = this.#options
    if (!repair) return { kind: 'planned' }
    try {
      return await work()
    } catch (error) {
      call.signal?.throwIfAborted()
      if (!isSlotkeeperError(error) || !error.retryable) throw error
      return { kind: 'failed', error }
    }
  }
}

function enqueueCommand(engine: Engine, actual: CheckedRun): AcquireCommand {
  const { repository, run, runUid, priority, meta } = actual
  const request = {
    repository,
    run,
    priority,
    durable: true,
    ...(runUid === undefined ? {} : { runUid }),
    ...(meta === undefined ? {} : { meta }),
  }
  return acquireCommand(engine, request, 'enqueue')
}

function refused(reason: RefusalReason): Repair {
  return { kind: 'refused', reason }
}
