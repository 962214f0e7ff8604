import type { CallOptions } from '../call-options.ts'
import type { Engine } from '../engine.ts'
import { leaseOf, type RepositoryKey, type RunKey } from '../keys.ts'
import type { ReleaseOutcome } from '../outcomes.ts'
import type { FinalState } from '../rows.ts'
import { type Audit, checkAudit } from './audit.ts'

/** Options of a release by force. */
export interface ForceReleaseOptions extends CallOptions {
  /** How the run ended, as far as is known; default `cancelled`. */
  readonly state?: FinalState
}

/** Ends the slot of somebody else, under the lease that was seen; see `Manager.forceRelease`. */
export async function forceRelease(
  engine: Engine,
  slot: { readonly repository: RepositoryKey; readonly run: RunKey; readonly token: number },
  audit: Audit,
  options: ForceReleaseOptions | undefined,
): Promise<ReleaseOutcome> {
  const { repository, run, token } = slot
  const force = checkAudit(audit)
  const state = options?.state ?? 'cancelled'
  const outcome = await engine.slotCalls.release(repository, { run, token }, { ...options, state, force })
  if (outcome.kind === 'released') loseTaken(engine, repository, run, token)
  engine.logger.warn(
    {
      event: 'audit',
      action: 'force-release',
      repository,
      run,
      leaseId: leaseOf(token),
      state,
      ...force,
      outcome: outcome.kind,
    },
    'a slot was to be released by force',
  )
  return outcome
}

/** A slot was ended in the store over the head of whoever held it. The store raises nobody's epoch for what a Manager does to its own slot. */
export function loseTaken(engine: Engine, repository: RepositoryKey, run: RunKey, token: number): void {
  for (const mine of engine.slots.of(repository, run)) if (mine.token === token) mine.lose('removed')
}
