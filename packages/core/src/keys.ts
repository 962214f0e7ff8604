import { InvalidArgumentError } from './errors.ts'

/** `namespace/name` of a repository: what a limit belongs to. */
export type RepositoryKey = `${string}/${string}`
/** `namespace/name` of a run. Identity everywhere is (repository, run): one run key in two repositories is two runs. */
export type RunKey = `${string}/${string}`
/**
 * Names one grant of a slot within its repository, new at every grant. Opaque: compare it, store it, never read meaning into it. Two
 * repositories may give the same lease, so keep the repository beside it.
 */
export type LeaseId = string & { readonly __brand: 'LeaseId' }
/** Names one life of a Manager in the store: its label and a random part, new at every opening. */
export type HolderId = string & { readonly __brand: 'HolderId' }

/** The longest key, in bytes of UTF-8. Two Kubernetes names of 253 characters and the slash fit. */
export const MAX_KEY_BYTES = 512

const encoder = new TextEncoder()

/** Longer ones may have too many bytes. */
const SURELY_SHORT = Math.floor(MAX_KEY_BYTES / 3)
const SLASH = 0x2f
const FIRST_SURROGATE = 0xd800

/** Whether `value` is a key at first sight, as nearly all are: one pass over it, where every call looks at one. */
function isPlainKey(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > SURELY_SHORT) return false
  const last = value.length - 1
  let slashes = 0
  for (let at = 0; at <= last; at++) {
    const unit = value.charCodeAt(at)
    if (unit === SLASH) {
      if (at === 0 || at === last || ++slashes > 1) return false
    } else if (unit === 0 || unit >= FIRST_SURROGATE) return false
  }
  return slashes === 1
}

/** Says why `value` cannot be a key, or `undefined` when it can. */
export function keyProblem(value: unknown): string | undefined {
  if (typeof value !== 'string') return `it is ${value === null ? 'null' : typeof value}, not a string`
  const slash = value.indexOf('/')
  if (slash < 0) return "it has no '/'"
  if (value.indexOf('/', slash + 1) >= 0) return "it has more than one '/'"
  if (slash === 0) return "the part before the '/' is empty"
  if (slash === value.length - 1) return "the part after the '/' is empty"
  return textProblem(value)
}

/** Says why `value` cannot be stored exactly by every store, or `undefined` when it can. */
export function textProblem(value: string): string | undefined {
  // A UTF-16 unit is at most three bytes of UTF-8, so short strings need no counting.
  if (value.length * 3 > MAX_KEY_BYTES && encoder.encode(value).length > MAX_KEY_BYTES)
    return `it is longer than ${MAX_KEY_BYTES} bytes`
  if (value.includes('\0')) return 'it contains a NUL character'
  if (!value.isWellFormed()) return 'it contains half of a surrogate pair'
  return undefined
}

/**
 * Checks a key before any I/O. Any Unicode text is stored exactly; what no store can keep is refused here.
 * @throws InvalidArgumentError when `value` is not `namespace/name` with one slash, both parts present, well-formed and within 512 bytes
 */
export function checkKey(value: unknown, what: string): asserts value is RepositoryKey & RunKey {
  if (isPlainKey(value)) return
  const problem = keyProblem(value)
  if (problem !== undefined) throw badKey(value, what, problem)
}

function badKey(value: unknown, what: string, problem: string): InvalidArgumentError {
  const shown = typeof value === 'string' ? JSON.stringify(value.toWellFormed().slice(0, 80)) : String(value)
  return new InvalidArgumentError(`${what} ${shown} is not a key: ${problem}. Use 'namespace/name'.`)
}

/** The lease of a grant is its fencing token, spelled so that nobody computes with it. */
export function leaseOf(token: number): LeaseId {
  return `lease-${token.toString(36)}` as LeaseId
}

/** The token that a lease spells, or -1 for text that no grant ever had (which then matches nothing). */
export function tokenOf(lease: string): number {
  if (!/^lease-[0-9a-z]{1,11}$/.test(lease)) return -1
  const token = Number.parseInt(lease.slice(6), 36)
  return leaseOf(token) === lease ? token : -1
}
