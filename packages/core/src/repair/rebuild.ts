import { type CallOptions, pause } from '../call-options.ts'
import type { AcquireCommand, AuditDetail } from '../commands.ts'
import type { Engine } from '../engine.ts'
import { isSlotkeeperError, type RefusalReason } from '../errors.ts'
import { type HolderId, leaseOf, type RepositoryKey, type RunKey } from '../keys.ts'
import { describeRepository } from '../repository.ts'
import { type FinalState, isAlive, isFinal, isSlot, type RunRow } from '../rows.ts'
import type { Slot } from '../slot.ts'
import { acquireCommand } from '../slot-request.ts'
import { type ActualRun, type CheckedRun, checkActual } from './actual-run.ts'
import { compare, type Finding } from './compare.ts'
import type { Drift, Repair } from './drift.ts'
import { type Listed, type Mark, type MarkedRepository, readMark, unknownRepository } from './mark.ts'
import { readListing } from './read-listing.ts'

/** What a rebuild is told. */
export interface RebuildOptions extends CallOptions {
  readonly repair: boolean
  readonly audit: AuditDetail
  readonly lagMs: number
  readonly listsWaiting: boolean
  readonly covers: ((repository: RepositoryKey) => boolean) | undefined
  /** Whether a slot that its living holder keeps, and that no listing shows, has been missing for long enough. */
  isMissing(repository: RepositoryKey, run: RunKey, token: number): boolean
}

/** How many runs of the listing are looked up together. */
const PIECE = 200

/** What ends: a slot under the lease that was seen, or an entry under its sequence. */
interface Ending {
  readonly key: RepositoryKey
  readonly run: RunKey
  readonly token: number | undefined
  readonly sequence: number
  readonly state: FinalState
  /** Makes the drift of it, once it is known what became of it. */
  readonly drift: (repair: Repair) => Drift
  /** The life that takes its place. */
  readonly next: CheckedRun | undefined
}

interface Requeue {
  readonly actual: CheckedRun
  readonly token: number
}

/**
 * One comparison of the store with a listing. While the listing goes on, only what provably runs is adopted; whatever takes something
 * away, or needs the declared order, waits until the listing has come to its end. Every change is conditional on the lease or the
 * sequence that was seen, so that replicas may do the same at the same time, twice, or be killed in the middle.
 */
export class Rebuild {
  readonly #engine: Engine
  readonly #options: RebuildOptions
  readonly #drifts: Drift[] = []
  readonly #removed = new Set<string>()
  readonly #proposed = new Set<string>()
  readonly #limits = new Map<RepositoryKey, number>()
  /** What the listing said of the runs that something is done about, so that a second word is noticed. */
  readonly #words = new Map<string, Listed>()
  readonly #endings = new Map<string, Ending>()
  readonly #requeues = new Map<string, Requeue>()
  readonly #queued = new Map<string, CheckedRun>()
  #mark: Mark = new Map()

  constructor(engine: Engine, options: RebuildOptions) {
    this.#engine = engine
    this.#options = options
  }

  /** @throws ListingFailedError; what a call to the store throws, when none gets through */
  async run(actual: AsyncIterable<ActualRun>): Promise<readonly Drift[]> {
    const engine = this.#engine
    const { clock, closing, logger } = engine
    const { signal, lagMs, listsWaiting, repair, audit } = this.#options
    this.#mark = await readMark(engine, listsWaiting, this.#call)
    if (lagMs > 0) {
      await pause(clock, lagMs, signal === undefined ? closing : AbortSignal.any([signal, closing]))
      engine.checkOpen()
      signal?.throwIfAborted()
    }
    let listed = 0
    for await (const piece of readListing(actual, PIECE, clock, [signal, closing])) {
      listed += piece.length
      await this.#look(piece)
    }
    this.#findVanished()
    await this.#endAll()
    await this.#requeueAll()
    await this.#enqueueAll()
    const drifts = this.#drifts
    logger.info(
      { event: 'audited', listed, drifts: drifts.length, repair, ...audit },
      'compared the store with what runs',
    )
    return drifts
  }

  get #call(): CallOptions {
    const { signal, timeoutMs } = this.#options
    return {
      ...(signal === undefined ? {} : { signal }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    }
  }

  /** Some runs of the listing: those that run and are not kept are adopted at once, the rest is noted. */
  async #look(piece: readonly ActualRun[]): Promise<void> {
    const runs: CheckedRun[] = []
    for (const entry of piece) {
      const checked = checkActual(entry)
      if ('run' in checked) runs.push(checked.run)
      else this.#drifts.push(checked.unusable)
    }
    for (const actual of runs) await this.#propose(actual)
    const rows = await this.#readRows(runs)
    const adoptions: { readonly actual: CheckedRun; readonly kind: 'unkept' | 'uncounted' }[] = []
    for (const actual of runs) {
      const mark = this.#markOf(actual.key)
      mark.named = true
      mark.waiting.delete(actual.run)
      if (this.#removed.has(livesOf(actual))) {
        this.#found({ kind: 'removed', ...of(actual), repair: refusedAs('removed') })
        continue
      }
      const { row, kept } = rows.get(nameOf(actual.key, actual.run)) ?? { row: undefined, kept: false }
      if (this.#isSecondWord(actual, mark)) continue
      const finding = compare(actual, row, kept, mark)
      if (finding === 'agrees') continue
      const { state, runUid } = actual
      this.#words.set(nameOf(actual.key, actual.run), { state, runUid })
      if (finding === 'unkept' || finding === 'uncounted') adoptions.push({ actual, kind: finding })
      else this.#note(actual, row, finding)
    }
    await this.#all(adoptions, ({ actual, kind }) => this.#adopt(actual, kind))
  }

  /** Says the limit of a repository once, before anything is asked for in it: the store may not know it, or know that it is gone. */
  async #propose(actual: CheckedRun): Promise<void> {
    const { proposal } = describeRepository(actual.repository)
    const life = livesOf(actual)
    const word = `${life} ${proposal.generation} ${proposal.limit}`
    if (this.#proposed.has(word)) return
    this.#proposed.add(word)
    const { row } = this.#markOf(actual.key)
    if (!this.#options.repair) {
      if (proposal.uid !== undefined && row.removedUids.includes(proposal.uid)) this.#removed.add(life)
      return
    }
    const engine = this.#engine
    const outcome = await engine.perform(
      {
        kind: 'limit',
        repository: actual.key,
        source: 'local',
        proposal,
        ticket: engine.ticket(),
        outcome: undefined,
      },
      this.#call,
    )
    if (outcome.kind === 'removed') this.#removed.add(life)
    else this.#limits.set(actual.key, outcome.limit)
  }

  async #readRows(
    runs: readonly CheckedRun[],
  ): Promise<Map<string, { readonly row: RunRow; readonly kept: boolean }>> {
    const found = new Map<string, { readonly row: RunRow; readonly kept: boolean }>()
    if (runs.length === 0) return found
    const named = new Map(runs.map(({ key, run }) => [nameOf(key, run), { repository: key, run }]))
    const { driver } = this.#engine
    const snapshot = await this.#engine.read('Reading runs', this.#call, (signal) =>
      driver.read({ kind: 'runs', runs: [...named.values()] }, signal),
    )
    const alive = new Set(
      snapshot.holders.filter((row) => isAlive(row, snapshot.now)).map((row) => row.holder),
    )
    for (const row of snapshot.runs)
      found.set(nameOf(row.repository, row.run), {
        row,
        kept: row.phase === 'running' && row.holder !== undefined && alive.has(row.holder),
      })
    return found
  }

  /** The run was named before. When the listing contradicts itself, whatever was to be taken away stays. */
  #isSecondWord(actual: CheckedRun, mark: MarkedRepository): boolean {
    const name = nameOf(actual.key, actual.run)
    const marked = mark.slots.get(actual.run)
    const before = marked?.listed ?? this.#words.get(name)
    if (marked !== undefined) marked.listed ??= { state: actual.state, runUid: actual.runUid }
    if (before === undefined) return false
    if (before.state === actual.state && before.runUid === actual.runUid) return true
    this.#endings.delete(name)
    this.#requeues.delete(name)
    this.#queued.delete(name)
    this.#found({ kind: 'listed-twice', ...of(actual) })
    return true
  }

  #note(actual: CheckedRun, row: RunRow | undefined, finding: Finding): void {
    const name = nameOf(actual.key, actual.run)
    switch (finding) {
      case 'unqueued':
        this.#queued.set(name, actual)
        return
      case 'unstarted':
        if (row !== undefined) this.#requeues.set(name, { actual, token: row.token })
        return
      case 'over':
        this.#endings.set(name, this.#ending(actual, row as RunRow, actual.state as FinalState, 'over'))
        return
      case 'replaced':
        this.#endings.set(name, this.#ending(actual, row as RunRow, 'expired', 'replaced'))
        return
      case 'over-unsure': {
        const why = 'without a uid nobody can tell whether it is another life of the run that waits'
        const state = actual.state as FinalState
        this.#found({ kind: 'over', ...of(actual), state, leaseId: undefined, repair: { kind: 'kept', why } })
        return
      }
      case 'ended': {
        const why = 'an attempt that is over never goes on; ask for the run again if it is another one'
        const { state } = row as RunRow
        this.#found({
          kind: 'ended',
          ...of(actual),
          listed: actual.state,
          state,
          repair: { kind: 'kept', why },
        })
      }
    }
  }

  #ending(actual: CheckedRun, row: RunRow, state: FinalState, kind: 'over' | 'replaced'): Ending {
    const token = isSlot(row.phase) ? row.token : undefined
    const leaseId = token === undefined ? undefined : leaseOf(token)
    const { key, run } = actual
    const about = { repository: key, run, runUid: row.runUid, leaseId } as const
    return {
      key,
      run,
      token,
      sequence: row.sequence,
      state,
      drift: (repair) =>
        kind === 'over'
          ? { kind, ...about, state, repair }
          : { kind, ...about, by: actual.runUid ?? '', repair },
      next: kind === 'replaced' && !isFinal(actual.state) ? actual : undefined,
    }
  }

  /** What the store had at the mark and the listing does not show. */
  #findVanished(): void {
    const { covers, isMissing } = this.#options
    for (const [key, { slots, waiting, named }] of this.#mark) {
      const covered = covers === undefined ? named : covers(key)
      const vanished = (run: RunKey, runUid: string | undefined, token: number | undefined) => {
        const leaseId = token === undefined ? undefined : leaseOf(token)
        return (repair: Repair): Drift => ({
          kind: 'vanished',
          repository: key,
          run,
          runUid,
          leaseId,
          repair,
        })
      }
      const kept = (drift: (repair: Repair) => Drift, why: string) =>
        this.#found(drift({ kind: 'kept', why }))
      const elsewhere =
        'the listing names no run of this repository; say in `covers` that it shows all of them'
      for (const [run, { token, phase, runUid, listed, kept: isKept }] of slots) {
        // A reservation that nobody claims waits again by itself.
        if (listed !== undefined || phase === 'reserved') continue
        const drift = vanished(run, runUid, token)
        if (!covered) kept(drift, elsewhere)
        else if (isKept && !isMissing(key, run, token))
          kept(drift, 'its holder lives, and may be about to start it; an audit that misses it again ends it')
        else
          this.#endings.set(nameOf(key, run), {
            key,
            run,
            token,
            sequence: 0,
            state: 'expired',
            drift,
            next: undefined,
          })
      }
      for (const [run, { sequence, runUid }] of waiting) {
        const drift = vanished(run, runUid, undefined)
        if (!covered) kept(drift, elsewhere)
        else
          this.#endings.set(nameOf(key, run), {
            key,
            run,
            token: undefined,
            sequence,
            state: 'cancelled',
            drift,
            next: undefined,
          })
      }
    }
  }

  async #endAll(): Promise<void> {
    const adoptions: CheckedRun[] = []
    await this.#inPieces([...this.#endings.values()], async (ending) => {
      const repair = await this.#attempt(() => this.#end(ending))
      this.#found(ending.drift(repair))
      const { next } = ending
      const isOver = repair.kind === 'done' || repair.kind === 'planned'
      if (isOver && next?.state === 'started') adoptions.push(next)
      else if (isOver && next !== undefined) this.#queued.set(nameOf(next.key, next.run), next)
      return repair
    })
    await this.#inPieces(adoptions, (actual) => this.#adopt(actual, 'uncounted'))
  }

  async #end({ key, run, token, sequence, state }: Ending): Promise<Repair> {
    const engine = this.#engine
    const { audit } = this.#options
    const base = { repository: key, run, ticket: engine.ticket(), outcome: undefined } as const
    if (token === undefined) {
      const seen = { sequence, state }
      const { kind } = await engine.perform({ kind: 'remove', ...base, seen, audit }, this.#call)
      return { kind: kind === 'removed' ? 'done' : 'overtaken' }
    }
    const { kind } = await engine.perform(
      { kind: 'release', ...base, token, state, force: audit },
      this.#call,
    )
    if (kind === 'released')
      for (const mine of [...engine.slots.values()])
        if (mine.token === token && mine.run === run && mine.repository === key) mine.lose('removed')
    return { kind: kind === 'released' ? 'done' : 'overtaken' }
  }

  async #requeueAll(): Promise<void> {
    const engine = this.#engine
    const { audit } = this.#options
    await this.#inPieces([...this.#requeues.values()], async ({ actual, token }) => {
      const repair = await this.#attempt(async () => {
        const { kind } = await engine.perform(
          {
            kind: 'requeue',
            repository: actual.key,
            run: actual.run,
            token,
            delayMs: 0,
            ticket: engine.ticket(),
            audit,
            outcome: undefined,
          },
          this.#call,
        )
        return { kind: kind === 'requeued' ? 'done' : 'overtaken' }
      })
      this.#found({ kind: 'unstarted', ...of(actual), leaseId: leaseOf(token), repair })
      return repair
    })
  }

  /** In the declared order: one piece after the other, each in its order. */
  async #enqueueAll(): Promise<void> {
    const ordered = [...this.#queued.values()].map((actual, listed) => ({ actual, listed }))
    ordered.sort(
      (a, b) =>
        b.actual.priority - a.actual.priority ||
        compareOrder(a.actual.order, b.actual.order) ||
        a.listed - b.listed,
    )
    const byRepository = new Map<RepositoryKey, CheckedRun[]>()
    for (const { actual } of ordered) {
      const runs = byRepository.get(actual.key)
      if (runs === undefined) byRepository.set(actual.key, [actual])
      else runs.push(actual)
    }
    for (const runs of byRepository.values())
      for (let at = 0; at < runs.length; at += PIECE) await this.#enqueue(runs.slice(at, at + PIECE))
  }

  async #enqueue(runs: readonly CheckedRun[]): Promise<void> {
    const engine = this.#engine
    const { repair, audit } = this.#options
    // Since they were looked up somebody else may have seen to them.
    const rows = repair ? await this.#readRows(runs) : undefined
    const commands: AcquireCommand[] = []
    const asked: CheckedRun[] = []
    for (const actual of runs) {
      const row = rows?.get(nameOf(actual.key, actual.run))?.row
      if (row !== undefined && row.phase !== 'record') {
        this.#found({ kind: 'unqueued', ...of(actual), repair: { kind: 'overtaken' } })
        continue
      }
      asked.push(actual)
      const { repository, run, runUid, priority, meta } = actual
      const request = {
        repository,
        run,
        priority,
        durable: true,
        ...(runUid === undefined ? {} : { runUid }),
        ...(meta === undefined ? {} : { meta }),
      }
      commands.push({ ...acquireCommand(engine, request, 'enqueue'), audit })
    }
    if (asked.length === 0) return
    const answers = repair ? engine.performAll(commands, this.#call) : []
    await this.#all(
      asked.map((actual, at) => ({ actual, at })),
      async ({ actual, at }) => {
        const result = await this.#attempt(async () => {
          const outcome = await answers[at]
          if (outcome?.kind === 'refused') return refusedAs(outcome.reason)
          const isRow = outcome?.kind === 'waiting' || outcome?.kind === 'granted'
          // A durable row keeps the ticket of whoever was first.
          return { kind: isRow && outcome.row.ticket === commands[at]?.ticket ? 'done' : 'overtaken' }
        })
        this.#found({ kind: 'unqueued', ...of(actual), repair: result })
        return result
      },
    )
  }

  async #adopt(actual: CheckedRun, kind: 'unkept' | 'uncounted'): Promise<Repair> {
    const engine = this.#engine
    const { claimTimeoutMs, leaseTtlMs } = engine.options
    const { key: repository, run, runUid } = actual
    let slot: Slot | undefined
    const repair = await this.#attempt(async () => {
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
        this.#call,
      )
      if (outcome.kind === 'refused') return refusedAs(outcome.reason)
      if (outcome.kind !== 'granted' || outcome.again) return { kind: 'overtaken' }
      slot = engine.acquired(outcome.row, false, 0)
      return { kind: 'done' }
    })
    if (kind === 'unkept') this.#found({ kind, ...of(actual), slot, repair })
    else this.#found({ kind, ...of(actual), slot, beyondLimit: this.#isBeyond(slot), repair })
    return repair
  }

  /** A slot within the limit has one of its numbers. */
  #isBeyond(slot: Slot | undefined): boolean {
    return slot !== undefined && slot.slotNumber === undefined && (this.#limits.get(slot.repository) ?? 0) > 0
  }

  #markOf(key: RepositoryKey): MarkedRepository {
    let marked = this.#mark.get(key)
    if (marked === undefined) {
      marked = unknownRepository()
      this.#mark.set(key, marked)
    }
    return marked
  }

  /** Does it, unless this is a dry run. What the store fails for one run is that run's repair, and stops no other. */
  async #attempt(work: () => Promise<Repair>): Promise<Repair> {
    if (!this.#options.repair) return { kind: 'planned' }
    try {
      return await work()
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      if (!isSlotkeeperError(error) || !error.retryable) throw error
      return { kind: 'failed', error }
    }
  }

  async #inPieces<T>(all: readonly T[], work: (one: T) => Promise<Repair>): Promise<void> {
    for (let at = 0; at < all.length; at += PIECE) await this.#all(all.slice(at, at + PIECE), work)
  }

  /** @throws the store's failure when it fails for every one: then it is away, and going on would only take time */
  async #all<T>(piece: readonly T[], work: (one: T) => Promise<Repair>): Promise<void> {
    const repairs = await Promise.all(piece.map(work))
    const failures = repairs.filter((repair) => repair.kind === 'failed')
    if (failures.length > 0 && failures.length === repairs.length) throw failures[0]?.error
  }

  /** Reports a drift, and writes into the trail what was done about it. */
  #found(drift: Drift): void {
    this.#drifts.push(drift)
    if (!('repair' in drift) || !LOGGED.has(drift.repair.kind)) return
    const { kind, repository, run, runUid, repair } = drift
    const { logger } = this.#engine
    logger.warn(
      {
        event: 'audit',
        action: ACTIONS[kind],
        drift: kind,
        repository,
        run,
        runUid,
        ...('leaseId' in drift ? { leaseId: drift.leaseId } : {}),
        ...('beyondLimit' in drift ? { beyondLimit: drift.beyondLimit } : {}),
        ...this.#options.audit,
        outcome: repair.kind,
        ...(repair.kind === 'refused' ? { refusal: repair.reason } : {}),
        ...(repair.kind === 'failed' ? { error: repair.error } : {}),
      },
      'the store and the cluster differed',
    )
  }
}

/** Repairs that were tried. */
const LOGGED: ReadonlySet<Repair['kind']> = new Set(['done', 'refused', 'failed'])

const ACTIONS = {
  unkept: 'adopt',
  uncounted: 'adopt',
  unqueued: 'enqueue',
  unstarted: 'requeue',
  over: 'end',
  replaced: 'end',
  vanished: 'end',
  ended: 'none',
  removed: 'none',
} as const

function nameOf(key: RepositoryKey, run: RunKey): string {
  return `${key} ${run}`
}

/** Names one life of a repository. */
function livesOf({ key, repository }: CheckedRun): string {
  return `${key} ${repository.metadata.uid ?? ''}`
}

function of({ key, run, runUid }: CheckedRun): {
  readonly repository: RepositoryKey
  readonly run: RunKey
  readonly runUid: string | undefined
} {
  return { repository: key, run, runUid }
}

function refusedAs(reason: RefusalReason): Repair {
  return { kind: 'refused', reason }
}

/** Neither may be a number: two infinities have no difference. */
function compareOrder(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}
