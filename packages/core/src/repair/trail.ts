import type { Logger } from '../logger.ts'
import type { Audit } from './audit.ts'
import type { Drift, Repair } from './drift.ts'

/** What was found, and the trail of what was done about it. */
export class Trail {
  readonly drifts: Drift[] = []
  readonly #logger: Logger
  readonly #audit: Audit

  constructor(logger: Logger, audit: Audit) {
    this.#logger = logger
    this.#audit = audit
  }

  /** Reports a drift; a repair that was tried also stands in the log. */
  found(drift: Drift): void {
    this.drifts.push(drift)
    if (!('repair' in drift) || !TRIED.has(drift.repair.kind)) return
    const { kind, repository, run, runUid, repair } = drift
    this.#logger.warn(
      {
        event: 'audit',
        action: ACTIONS[kind],
        drift: kind,
        repository,
        run,
        runUid,
        ...('leaseId' in drift ? { leaseId: drift.leaseId } : {}),
        ...('slot' in drift ? { leaseId: drift.slot?.leaseId } : {}),
        ...('beyondLimit' in drift ? { beyondLimit: drift.beyondLimit } : {}),
        ...this.#audit,
        outcome: repair.kind,
        ...(repair.kind === 'refused' ? { refusal: repair.reason } : {}),
        ...(repair.kind === 'failed' ? { error: repair.error } : {}),
      },
      'the store and the cluster differed',
    )
  }
}

const TRIED: ReadonlySet<Repair['kind']> = new Set(['done', 'refused', 'failed'])

const ACTIONS = {
  unkept: 'adopt',
  uncounted: 'adopt',
  unqueued: 'enqueue',
  unstarted: 'requeue',
  over: 'end',
  replaced: 'end',
  vanished: 'end',
  ended: 'none',
  unheard: 'none',
  removed: 'none',
} as const
