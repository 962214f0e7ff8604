import type { DomainInHand, StoreInHand } from './driver.ts'
import { InvalidArgumentError } from './errors.ts'
import { checkKey, type RepositoryKey, textProblem } from './keys.ts'
import type { LimitProposal } from './rows.ts'

/** A limit as people read it. */
export type Limit = number | 'unlimited'

/**
 * What a limit belongs to, in the shape of the Kubernetes resource, so that a reconciler passes its object as it is.
 * `concurrencyLimit` absent or `null` leaves the word to a global repository and is unlimited without one; `0` is unlimited;
 * else a positive integer. `uid` and `generation`, where given, order proposals: an older generation never wins.
 */
export interface Repository {
  readonly metadata: {
    readonly namespace: string
    readonly name: string
    readonly uid?: string
    readonly generation?: number
  }
  readonly spec: { readonly concurrencyLimit?: number | null }
}

/** Readers take a key; whatever may grant takes the Repository, because only that carries the limit. */
export type RepositoryRef = Repository | RepositoryKey

/**
 * Makes a Repository without Kubernetes. It is frozen: another limit is another Repository.
 * @example
 * const repo = repository('acme/api', { concurrencyLimit: 2 })
 * @throws InvalidArgumentError for a key that is not `namespace/name`, or a limit that is not a whole number from 0
 */
export function repository(key: RepositoryKey, spec: Repository['spec'] = {}): Repository {
  checkKey(key, 'repository')
  const slash = key.indexOf('/')
  const metadata = Object.freeze({ namespace: key.slice(0, slash), name: key.slice(slash + 1) })
  return new MadeRepository(metadata, Object.freeze({ ...spec }))
}

/** A Repository as the decision needs it: checked, its key joined, its opinion about the limit taken out. */
export interface DescribedRepository {
  readonly key: RepositoryKey
  readonly proposal: LimitProposal
  /** What stands for it in a store of this process, and which store that is: kept by whoever asks that store. */
  inHand: DomainInHand | undefined
  inHandOf: StoreInHand | undefined
}

interface Remembered extends DescribedRepository {
  readonly namespace: string
  readonly name: string
  /** It cannot change any more. */
  readonly frozen: boolean
}

const described = new WeakMap<Repository, Remembered>()

/** A Repository that cannot change: it carries its own description, for a slot that is free takes less time than to look it up. */
class MadeRepository implements Repository {
  readonly metadata: Repository['metadata']
  readonly spec: Repository['spec']
  readonly #described: DescribedRepository

  constructor(metadata: Repository['metadata'], spec: Repository['spec']) {
    this.metadata = metadata
    this.spec = spec
    Object.freeze(this)
    this.#described = describe(this)
  }

  static descriptionOf(from: unknown): DescribedRepository | undefined {
    return typeof from === 'object' && from !== null && #described in from ? from.#described : undefined
  }
}

/**
 * Checks a Repository once and remembers the answer as long as its fields stay what they were.
 * @throws InvalidArgumentError naming the field that is wrong
 */
export function describeRepository(from: Repository): DescribedRepository {
  const own = MadeRepository.descriptionOf(from)
  if (own !== undefined) return own
  const known = typeof from === 'object' && from !== null ? described.get(from) : undefined
  if (known !== undefined && (known.frozen || unchanged(known, from))) return known
  const made = describe(from)
  described.set(from, made)
  return made
}

function describe(from: Repository): Remembered {
  const metadata = from?.metadata
  const spec = from?.spec
  if (typeof metadata !== 'object' || metadata === null || typeof spec !== 'object' || spec === null)
    throw new InvalidArgumentError(
      'repository is not a Repository: it needs metadata { namespace, name } and spec. Use repository(key, { concurrencyLimit }) to make one.',
    )
  const { namespace, name, uid, generation } = metadata
  for (const [field, part] of [
    ['metadata.namespace', namespace],
    ['metadata.name', name],
  ] as const)
    if (typeof part !== 'string' || part === '' || part.includes('/'))
      throw new InvalidArgumentError(
        `repository ${field} is ${typeof part === 'string' ? JSON.stringify(part) : String(part)}: it must be text, not empty, without '/'.`,
      )
  const key: RepositoryKey = `${namespace}/${name}`
  checkKey(key, 'repository')
  checkUid(uid, 'repository metadata.uid')
  if (generation !== undefined && !(Number.isSafeInteger(generation) && generation >= 0))
    throw new InvalidArgumentError(
      `repository metadata.generation is ${String(generation)}: it must be a whole number from 0.`,
    )
  const proposal: LimitProposal = { limit: checkLimit(spec.concurrencyLimit), uid, generation }
  const frozen = Object.isFrozen(from) && Object.isFrozen(metadata) && Object.isFrozen(spec)
  return { key, proposal, inHand: undefined, inHandOf: undefined, namespace, name, frozen }
}

function unchanged(known: Remembered, now: Repository): boolean {
  const { metadata, spec } = now
  return (
    known.namespace === metadata?.namespace &&
    known.name === metadata.name &&
    known.proposal.limit === (spec?.concurrencyLimit ?? null) &&
    known.proposal.uid === metadata?.uid &&
    known.proposal.generation === metadata?.generation
  )
}

/** A uid is any text that every store keeps exactly. */
export function checkUid(uid: unknown, what: string): asserts uid is string | undefined {
  if (uid === undefined) return
  if (typeof uid !== 'string' || uid === '')
    throw new InvalidArgumentError(`${what} is ${String(uid)}: it must be text, not empty.`)
  const problem = textProblem(uid)
  if (problem !== undefined) throw new InvalidArgumentError(`${what} cannot be stored: ${problem}.`)
}

/** `null` = no opinion; 0 = unlimited. */
function checkLimit(limit: unknown): number | null {
  if (limit === undefined || limit === null) return null
  if (typeof limit === 'number' && Number.isSafeInteger(limit) && limit >= 0 && limit <= MAX_LIMIT)
    return limit
  throw new InvalidArgumentError(
    `concurrencyLimit is ${String(limit)}: it must be a whole number from 0 (unlimited) to ${MAX_LIMIT}, or absent.`,
  )
}

/** Beyond this a limit limits nothing; use 0. It bounds the bitmap of slot numbers to 125 kB. */
export const MAX_LIMIT = 1_000_000

/** The key of a reference, checked. */
export function keyOf(ref: RepositoryRef): RepositoryKey {
  if (typeof ref === 'string') {
    checkKey(ref, 'repository')
    return ref
  }
  return describeRepository(ref).key
}
