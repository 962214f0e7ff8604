import { type CallOptions, pause } from '../call-options.ts'
import type { Engine } from '../engine.ts'
import { leaseOf, type RepositoryKey, type RunKey } from '../keys.ts'
import type { FinalState, RunRow } from '../rows.ts'
import { type ActualRun, type CheckedRun, checkActual } from './actual-run.ts'
import type { Audit } from './audit.ts'
import { compare, type Finding } from './compare.ts'
import type { Drift, Repair } from './drift.ts'
import { type Ending, overIn, replacedBy, vanishedEntry, vanishedSlot } from './ending.ts'
import { Limits } from './limits.ts'
import { type Listed, type Mark, type MarkedRepository, readMark, unknownRepository } from './mark.ts'
import { readListing } from './read-listing.ts'
import { nameOf, Repairs } from './repairs.ts'
import { Trail } from './trail.ts'

/** What a rebuild is told. */
export interface RebuildOptions extends CallOptions {
  readonly repair: boolean
  readonly audit: Audit
  readonly lagMs: number
  readonly listsWaiting: boolean
  readonly covers: ((repository: RepositoryKey) => boolean) | undefined
  /** Whether a slot that its living holder keeps, and that no listing shows, has been missing for long enough. */
  isMissing(repository: RepositoryKey, run: RunKey, token: number): boolean
}

/** How many runs of the listing are looked up together. */
const PIECE = 200

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
  readonly #trail: Trail
  readonly #repairs: Repairs
  readonly #limits: Limits
  /** What the listing said of the runs that something is done about, so that a second word is noticed. */
  readonly #words = new Map<string, Listed>()
  readonly #endings = new Map<string, Ending>()
  readonly #requeues = new Map<string, Requeue>()
  readonly #queued = new Map<string, CheckedRun>()
  #mark: Mark = new Map()

  constructor(engine: Engine, options: RebuildOptions) {
    this.#engine = engine
    this.#options = options
    this.#trail = new Trail(engine.logger, options.audit)
    this.#repairs = new Repairs(engine, { ...options, call: this.#call })
    this.#limits = new Limits(engine, this.#repairs, { repair: options.repair, call: this.#call })
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
    const { drifts } = this.#trail
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
      else this.#trail.found(checked.unusable)
    }
    await Promise.all(runs.map((actual) => this.#limits.say(actual, this.#markOf(actual.key).row)))
    const rows = await this.#repairs.look(runs)
    const adoptions: { readonly actual: CheckedRun; readonly kind: 'unkept' | 'uncounted' }[] = []
    for (const actual of runs) {
      const mark = this.#markOf(actual.key)
      mark.named = true
      mark.waiting.delete(actual.run)
      if (this.#limits.isRemoved(actual)) {
        this.#trail.found({ kind: 'removed', ...of(actual), repair: { kind: 'refused', reason: 'removed' } })
        continue
      }
      const { row, kept } = rows.get(nameOf(actual.key, actual.run)) ?? { row: undefined, kept: false }
      if (this.#isSecondWord(actual, mark)) continue
      const error = this.#limits.failureOf(actual)
      if (error !== undefined) {
        this.#trail.found({ kind: 'unheard', ...of(actual), repair: { kind: 'failed', error } })
        continue
      }
      const finding = compare(actual, row, kept, mark)
      if (finding === 'agrees') continue
      const { state, runUid } = actual
      this.#words.set(nameOf(actual.key, actual.run), { state, runUid })
      if (finding === 'unkept' || finding === 'uncounted') adoptions.push({ actual, kind: finding })
      else this.#note(actual, row, finding)
    }
    await this.#repairs.each(adoptions, ({ actual, kind }) => this.#adopt(actual, kind))
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
    this.#trail.found({ kind: 'listed-twice', ...of(actual) })
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
        this.#endings.set(name, overIn(actual, row as RunRow))
        return
      case 'replaced':
        this.#endings.set(name, replacedBy(actual, row as RunRow))
        return
      case 'over-unsure': {
        const why = 'without a uid nobody can tell whether it is another life of the run that waits'
        const state = actual.state as FinalState
        this.#trail.found({
          kind: 'over',
          ...of(actual),
          state,
          leaseId: undefined,
          repair: { kind: 'kept', why },
        })
        return
      }
      case 'ended': {
        const why = 'an attempt that is over never goes on; ask for the run again if it is another one'
        const { state } = row as RunRow
        this.#trail.found({
          kind: 'ended',
          ...of(actual),
          listed: actual.state,
          state,
          repair: { kind: 'kept', why },
        })
      }
    }
  }

  /** What the store had at the mark and the listing does not show. */
  #findVanished(): void {
    const { covers, isMissing } = this.#options
    for (const [key, { slots, waiting, named }] of this.#mark) {
      const covered = covers === undefined ? named : covers(key)
      const kept = (ending: Ending, why: string) => this.#trail.found(ending.drift({ kind: 'kept', why }))
      const elsewhere =
        'the listing names no run of this repository; say in `covers` that it shows all of them'
      for (const [run, { token, phase, runUid, listed, kept: isKept }] of slots) {
        // A reservation that nobody claims waits again by itself.
        if (listed !== undefined || phase === 'reserved') continue
        const ending = vanishedSlot(key, run, runUid, token)
        if (!covered) kept(ending, elsewhere)
        else if (isKept && !isMissing(key, run, token))
          kept(
            ending,
            'its holder lives, and may be about to start it; an audit that misses it again ends it',
          )
        else this.#endings.set(nameOf(key, run), ending)
      }
      for (const [run, { sequence, runUid }] of waiting) {
        const ending = vanishedEntry(key, run, runUid, sequence)
        if (!covered) kept(ending, elsewhere)
        else this.#endings.set(nameOf(key, run), ending)
      }
    }
  }

  async #endAll(): Promise<void> {
    const adoptions: CheckedRun[] = []
    await this.#repairs.each([...this.#endings.values()], async (ending) => {
      const repair = await this.#repairs.end(ending)
      this.#trail.found(ending.drift(repair))
      const { next } = ending
      const isOver = repair.kind === 'done' || repair.kind === 'planned'
      if (isOver && next?.state === 'started') adoptions.push(next)
      else if (isOver && next !== undefined) this.#queued.set(nameOf(next.key, next.run), next)
      return repair
    })
    await this.#repairs.each(adoptions, (actual) => this.#adopt(actual, 'uncounted'))
  }

  async #requeueAll(): Promise<void> {
    await this.#repairs.each([...this.#requeues.values()], async ({ actual, token }) => {
      const repair = await this.#repairs.requeue(actual, token)
      this.#trail.found({ kind: 'unstarted', ...of(actual), leaseId: leaseOf(token), repair })
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
      for (let at = 0; at < runs.length; at += PIECE) {
        const piece = runs.slice(at, at + PIECE)
        const repairs = await this.#repairs.enqueue(piece)
        await this.#repairs.each(
          piece.map((actual, nth) => ({ actual, repair: repairs[nth] as Promise<Repair> })),
          async ({ actual, repair }) => {
            const became = await repair
            this.#trail.found({ kind: 'unqueued', ...of(actual), repair: became })
            return became
          },
        )
      }
  }

  async #adopt(actual: CheckedRun, kind: 'unkept' | 'uncounted'): Promise<Repair> {
    const { repair, slot } = await this.#repairs.adopt(actual)
    if (kind === 'unkept') this.#trail.found({ kind, ...of(actual), slot, repair })
    else this.#trail.found({ kind, ...of(actual), slot, beyondLimit: this.#limits.isBeyond(slot), repair })
    return repair
  }

  #markOf(key: RepositoryKey): MarkedRepository {
    let marked = this.#mark.get(key)
    if (marked === undefined) {
      marked = unknownRepository()
      this.#mark.set(key, marked)
    }
    return marked
  }
}

function of({ key, run, runUid }: CheckedRun): {
  readonly repository: RepositoryKey
  readonly run: RunKey
  readonly runUid: string | undefined
} {
  return { repository: key, run, runUid }
}

/** Neither may be a number: two infinities have no difference. */
function compareOrder(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}
