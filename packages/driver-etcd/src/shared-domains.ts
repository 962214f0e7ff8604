import type { Clock } from '@slotkeeper/core/driver'
import type { IEvent, IKeyValue } from 'etcd3'
import type { KeySpace } from './keys.ts'
import type { Memory } from './memory.ts'
import { keyOf } from './operations.ts'

/** So long after somebody else has changed a domain, turns are taken. */
const CONTENDED_MS = 50
/** So long after that its document is followed. */
const FOLLOWED_MS = 10_000
/** So many documents are followed at most. */
const MOST_FOLLOWED = 64
/** The longest that somebody else is waited for, and the first guess of what a commit takes. */
const LONGEST_TURN_MS = 20
const FIRST_GUESS_MS = 4
/** The text of a document begins with who wrote it. */
const WRITER_BYTES = 100

interface SharedDomain {
  /** When somebody else was last seen to change it. */
  changedAt: number
  /** The revision of this process's last commit, and when it and the one before it were answered. */
  ownRevision: number
  ownAt: number
  ownBefore: number
  /** What a commit takes, on average. */
  commitMs: number
  /** Ends the wait for somebody else's turn. */
  next: (() => void) | undefined
}

/** Who tells of documents. */
export interface Followed {
  follow(key: string): void
  unfollow(key: string): void
}

/**
 * The domains that other processes change as well. Their documents are followed, so that what is remembered of them is fresh; and whoever
 * has committed lets the others go first, who lost against him: else the one that hears of its commit first would win again and again.
 */
export class SharedDomains {
  readonly #keys: KeySpace
  readonly #memory: Memory
  readonly #clock: Clock
  readonly #origin: string
  readonly #followed: Followed
  readonly #domains = new Map<string, SharedDomain>()

  constructor(
    { keys, memory, clock }: { readonly keys: KeySpace; readonly memory: Memory; readonly clock: Clock },
    origin: string,
    followed: Followed,
  ) {
    this.#keys = keys
    this.#memory = memory
    this.#clock = clock
    this.#origin = origin
    this.#followed = followed
  }

  /** A commit met one of somebody else. */
  met(domain: string): void {
    const now = this.#clock.monotonic()
    const known = this.#domains.get(domain)
    if (known !== undefined) {
      known.changedAt = now
      return
    }
    for (const [other, { changedAt }] of this.#domains)
      if (changedAt < now - FOLLOWED_MS || this.#domains.size >= MOST_FOLLOWED) {
        this.#domains.delete(other)
        this.#followed.unfollow(this.#keys.domain(other))
      }
    this.#domains.set(domain, {
      ...{ changedAt: now, ownRevision: 0, ownAt: now, ownBefore: now },
      ...{ commitMs: FIRST_GUESS_MS, next: undefined },
    })
    this.#followed.follow(this.#keys.domain(domain))
  }

  /** A document that is followed was written or deleted. */
  hear({ type, kv }: IEvent): void {
    const domain = keyOf(kv).slice(this.#keys.domain('').length)
    const shared = this.#domains.get(domain)
    if (shared === undefined) return
    if (type === 'Put') this.#memory.hear(domain, kv)
    else this.#memory.forget(domain)
    if (this.#isOwn(kv)) return
    shared.changedAt = this.#clock.monotonic()
    shared.next?.()
  }

  /** This process has committed; it took so long. */
  committed(domain: string, revision: number, tookMs: number): void {
    const shared = this.#domains.get(domain)
    if (shared === undefined) return
    shared.ownRevision = revision
    shared.ownBefore = shared.ownAt
    shared.ownAt = this.#clock.monotonic()
    shared.commitMs += (tookMs - shared.commitMs) / 8
  }

  /** Waits until somebody else had a turn, where there is somebody; `undefined` where there is nothing to wait for. */
  turn(domain: string): Promise<void> | undefined {
    const shared = this.#domains.get(domain)
    // Whoever else is at it has had a turn since the last but one of this process.
    if (shared === undefined || shared.changedAt < shared.ownBefore) return undefined
    if (shared.changedAt < this.#clock.monotonic() - CONTENDED_MS) return undefined
    if (this.#memory.get(domain)?.revision !== shared.ownRevision) return undefined
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(1.5 * shared.commitMs, LONGEST_TURN_MS))
      shared.next = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #isOwn({ value }: IKeyValue): boolean {
    return value.subarray(0, WRITER_BYTES).includes(this.#origin)
  }
}
