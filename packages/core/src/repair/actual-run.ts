import { InvalidArgumentError, isSlotkeeperError } from '../errors.ts'
import { checkKey, type RepositoryKey, type RunKey } from '../keys.ts'
import { checkUid, describeRepository, type Repository } from '../repository.ts'
import { isFinal, type RunState } from '../rows.ts'
import { checkMeta, checkPriority } from '../slot-request.ts'

/**
 * A run as the cluster shows it. Pass on what is there, wrong or not: what cannot be used is reported, and stops nothing. So do not make
 * the Repository with `repository(key)`, which throws for a key that is none.
 */
export interface ActualRun {
  /** With the limit as the cluster says it. */
  readonly repository: Repository
  /** `namespace/name`. */
  readonly run: string
  /** The life of the run. Without it a finished run that still waits in the store is left alone, since it may be another life. */
  readonly runUid?: string
  /** `queued`: it is there and has not started. `started`: it runs. `completed`, `failed`, `cancelled`, `expired`: it is over. */
  readonly state: string
  /** As in the queue: higher goes first. Default 0. */
  readonly priority?: number
  /**
   * The declared order of queued runs of equal priority: lower goes first, those without one last, equals as they are listed. Any number,
   * such as a place in a list, or the time of creation.
   */
  readonly order?: number
  /** Kept with a run that has to be queued. */
  readonly meta?: Readonly<Record<string, string>>
}

/** An ActualRun whose every part can be used. */
export interface CheckedRun {
  readonly repository: Repository
  readonly key: RepositoryKey
  readonly run: RunKey
  readonly runUid: string | undefined
  readonly state: RunState
  readonly priority: number
  readonly order: number
  readonly meta: Readonly<Record<string, string>> | undefined
}

/** Why an entry of a listing cannot be used. */
export type Unusable =
  | { readonly kind: 'malformed'; readonly value: string; readonly problem: string }
  | {
      readonly kind: 'unknown-state'
      readonly repository: RepositoryKey
      readonly run: RunKey
      readonly runUid: string | undefined
      readonly state: string
    }

/** Checks one entry of a listing; never throws. */
export function checkActual(
  entry: ActualRun,
): { readonly run: CheckedRun } | { readonly unusable: Unusable } {
  try {
    if (typeof entry !== 'object' || entry === null)
      throw new InvalidArgumentError('It is not an object with repository, run and state.')
    const { repository, run, runUid, state, order, meta } = entry
    const { key } = describeRepository(repository)
    checkKey(run, 'run')
    checkUid(runUid, 'runUid')
    if (!isRunState(state))
      return { unusable: { kind: 'unknown-state', repository: key, run, runUid, state: shown(state) } }
    const priority = checkPriority(entry.priority)
    if (order !== undefined && (typeof order !== 'number' || Number.isNaN(order)))
      throw new InvalidArgumentError(`order is ${shown(order)}: it must be a number.`)
    return {
      run: {
        repository,
        key,
        run,
        runUid,
        state,
        priority,
        order: order ?? Number.POSITIVE_INFINITY,
        meta: checkMeta(meta),
      },
    }
  } catch (error) {
    // A getter of the entry may throw whatever it likes.
    const problem = isSlotkeeperError(error) ? error.message : `it cannot be read: ${shown(error)}`
    return { unusable: { kind: 'malformed', value: nameOf(entry), problem } }
  }
}

function isRunState(state: unknown): state is RunState {
  return state === 'queued' || state === 'started' || isFinal(state as RunState)
}

/** What people find the entry by. */
function nameOf(entry: unknown): string {
  try {
    const { repository, run } = entry as ActualRun
    const { namespace, name } = repository?.metadata ?? {}
    return `${shown(namespace)}/${shown(name)} ${shown(run)}`
  } catch {
    return shown(entry)
  }
}

function shown(value: unknown): string {
  try {
    return String(value).toWellFormed().slice(0, 80)
  } catch {
    return typeof value
  }
}
