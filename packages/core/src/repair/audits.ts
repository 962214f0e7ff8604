import { type CallOptions, checkCallOptions } from '../call-options.ts'
import { MOST_MS } from '../clock.ts'
import type { Engine } from '../engine.ts'
import { InvalidArgumentError } from '../errors.ts'
import type { RepositoryKey, RunKey } from '../keys.ts'
import type { ActualRun } from './actual-run.ts'
import { checkAudit } from './audit.ts'
import type { Drift } from './drift.ts'
import { Rebuild } from './rebuild.ts'
import { nameOf } from './repairs.ts'

/** What a comparison with the cluster is told of its listing. `timeoutMs` is for each call to the store; the listing has no limit. */
export interface ListingOptions extends CallOptions {
  /**
   * How far what the listing shows may lag behind the cluster, in ms: so long it is waited between the mark and the listing. 0, the default,
   * is for listings that ask the cluster itself; an informer's cache wants some seconds.
   */
  readonly lagMs?: number
  /**
   * The listing also shows runs that wait, as a cluster does in which a run is created before it may start. Then a durable entry of the
   * queue that it does not show is of a run that is gone. Default false: such entries are left alone.
   */
  readonly listsWaiting?: boolean
  /** The repositories of which it shows every run. Default: those of which it shows one. */
  readonly covers?: (repository: RepositoryKey) => boolean
}

/** Options of `initQueues`. */
export interface InitQueuesOptions extends ListingOptions {
  /** Only tells what it would do. Default false. */
  readonly dryRun?: boolean
}

/** Options of `auditDrift`. */
export interface AuditDriftOptions extends ListingOptions {
  /** False: only tells what it would do. */
  readonly repair: boolean
  /** Who audits; default: the Manager's label. */
  readonly actor?: string
  /** Default: `drift audit`. */
  readonly reason?: string
  /**
   * A slot that its living holder keeps, and that no listing shows, may be of a run that is about to be started. It is ended once the audits
   * of this Manager have missed it for so long, in ms. Default 60,000; 0 ends it at the first.
   */
  readonly missingMs?: number
}

const MISSING_MS = 60_000

/** Compares the store with what the cluster runs, at the start and now and then. */
export class Audits {
  readonly #engine: Engine
  /** Slots of living holders that the last audits missed, and since when. */
  #missing = new Map<string, number>()

  /** Made by the Manager. */
  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** See `QueueManager.initQueues`. */
  async initQueues(
    actual: AsyncIterable<ActualRun>,
    options: InitQueuesOptions = {},
  ): Promise<readonly Drift[]> {
    const repair = !checkFlag('dryRun', options.dryRun)
    return this.#rebuild(
      actual,
      options,
      { repair, actor: undefined, reason: 'rebuild' },
      Number.POSITIVE_INFINITY,
    )
  }

  /** See `Manager.auditDrift`. */
  async auditDrift(actual: AsyncIterable<ActualRun>, options: AuditDriftOptions): Promise<readonly Drift[]> {
    if (typeof options?.repair !== 'boolean')
      throw new InvalidArgumentError(
        'auditDrift wants to be told whether to repair: { repair: true } or { repair: false }.',
      )
    const { repair, actor, reason = 'drift audit' } = options
    return this.#rebuild(
      actual,
      options,
      { repair, actor, reason },
      duration('missingMs', options.missingMs, MISSING_MS),
    )
  }

  async #rebuild(
    actual: AsyncIterable<ActualRun>,
    options: ListingOptions,
    how: { readonly repair: boolean; readonly actor: string | undefined; readonly reason: string },
    missingMs: number,
  ): Promise<readonly Drift[]> {
    const engine = this.#engine
    const { lagMs, listsWaiting, covers, signal, timeoutMs } = options
    engine.checkOpen()
    checkCallOptions(options)
    signal?.throwIfAborted()
    if (typeof actual?.[Symbol.asyncIterator] !== 'function')
      throw new InvalidArgumentError(
        'actual is not an AsyncIterable. Pass an async generator that does its listing when it is iterated: what was listed before the mark proves nothing.',
      )
    if (covers !== undefined && typeof covers !== 'function')
      throw new InvalidArgumentError('covers is not a function of a repository key.')
    const actor = how.actor ?? engine.label
    const now = engine.clock.monotonic()
    const before = this.#missing
    const missing = new Map<string, number>()
    const rebuild = new Rebuild(engine, {
      ...(signal === undefined ? {} : { signal }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      repair: how.repair,
      audit: checkAudit({ actor, reason: how.reason }),
      lagMs: duration('lagMs', lagMs, 0),
      listsWaiting: checkFlag('listsWaiting', listsWaiting),
      covers,
      isMissing(repository: RepositoryKey, run: RunKey, token: number) {
        const slot = `${nameOf(repository, run)}\0${token}`
        const since = before.get(slot) ?? now
        missing.set(slot, since)
        return now - since >= missingMs
      },
    })
    const drifts = await rebuild.run(actual)
    this.#missing = missing
    return drifts
  }
}

function checkFlag(name: string, value: unknown): boolean {
  if (value !== undefined && typeof value !== 'boolean')
    throw new InvalidArgumentError(`${name} is ${String(value)}: it must be true or false.`)
  return value ?? false
}

function duration(name: string, value: unknown, standard: number): number {
  if (value === undefined) return standard
  if (typeof value === 'number' && value >= 0 && value <= MOST_MS) return value
  throw new InvalidArgumentError(
    `${name} is ${String(value)}: it must be a number of milliseconds from 0 to ${MOST_MS}.`,
  )
}
