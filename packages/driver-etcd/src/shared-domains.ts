import type { Clock } from '@slotkeeper/core/driver'
import type { IEvent, IKeyValue } from 'etcd3'
import type { DomainDocument } from './document.ts'
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
  /** The revision of the last hint that was told; nothing where none was since the document is followed. */
  hintRevision: number | undefined
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

  /** A commit met one of somebody else. `firmly`: the domain is followed, though another one may have to give way. */
  met(domain: string, firmly = true): void {
    const now = this.#clock.monotonic()
    const known = this.#domains.get(domain)
    if (known !== undefined) {
      known.changedAt = now
      return
    }
    for (const [other, { changedAt }] of this.#domains)
      if (changedAt < now - FOLLOWED_MS || (firmly && this.#domains.size >= MOST_FOLLOWED)) this.#leave(other)
    if (this.#domains.size >= MOST_FOLLOWED) return
    this.#domains.set(domain, {
      ...{ changedAt: now, hintRevision: undefined, ownRevision: 0, ownAt: now, ownBefore: now },
      ...{ commitMs: FIRST_GUESS_MS, next: undefined },
    })
    this.#followed.follow(this.#keys.domain(domain))
  }

  /** A hint is told that was written at that revision, as a document was. */
  hinted(domain: string, revision: number): void {
    const shared = this.#domains.get(domain)
    if (shared !== undefined) shared.hintRevision = revision
  }

  /**
   * The domain's document, of the moment of the last hint that was told or a later one; `undefined` where that is not known. Whoever asks was told
   * that somebody else changes the domain, so it is followed from then on.
   */
  told(domain: string): DomainDocument | undefined {
    const shared = this.#domains.get(domain)
    // Those that are followed are not given up for others again and again.
    if (shared === undefined) this.met(domain, false)
    const known = this.#memory.get(domain)
    return known !== undefined && known.revision >= (shared?.hintRevision ?? Number.POSITIVE_INFINITY)
      ? known.document
      : undefined
  }

  /** The store may be another one, restored from a backup: revisions of before are not compared with those that follow. */
  restart(): void {
    for (const [domain, shared] of this.#domains) {
      shared.hintRevision = undefined
      this.#memory.forget(domain)
    }
  }

  /** A document that is followed was written or deleted. */
  hear({ type, kv }: IEvent): void {
    const domain = keyOf(kv).slice(this.#keys.domain('').length)
    const shared = this.#domains.get(domain)
    if (shared === undefined) return
    // The answer to the commit tells of it as well, and needs not be read.
    if (this.#isOwn(kv)) return
    if (type === 'Put') this.#memory.hear(domain, kv)
    else this.#memory.forget(domain)
    shared.changedAt = this.#clock.monotonic()
    shared.next?.()
  }

  /** This process has committed; it took so long. */
  committed(domain: string, revision: number, tookMs: number): void {
    const shared = this.#domains.get(domain)
    if (shared === undefined) return
    const now = this.#clock.monotonic()
    if (shared.changedAt < now - FOLLOWED_MS) return this.#leave(domain)
    shared.ownRevision = revision
    shared.ownBefore = shared.ownAt
    shared.ownAt = now
    shared.commitMs += (tookMs - shared.commitMs) / 8
  }

  /** Waits until somebody else had a turn, where there is somebody; `undefined` where there is nothing to wait for. */
  turn(domain: string): Promise<void> | undefined {
    const shared = this.#domains.get(domain)
    // Whoever else is at it has had a turn since the last but one of this process.
    if (shared === undefined || shared.changedAt < shared.ownBefore) return undefined
    if (shared.changedAt < this.#clock.monotonic() - CONTENDED_MS) return undefined
    if (this.#memory.get(domain)?.revision !== shared.ownRevision) return undefined
    const turnMs = Math.min(1.5 * shared.commitMs, LONGEST_TURN_MS)
    const leftMs = shared.ownAt + turnMs - this.#clock.monotonic()
    if (leftMs <= 0) return undefined
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, leftMs)
      shared.next = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #leave(domain: string): void {
    this.#domains.delete(domain)
    this.#followed.unfollow(this.#keys.domain(domain))
  }

  #isOwn({ value }: IKeyValue): boolean {
    return value.subarray(0, WRITER_BYTES).includes(this.#origin)
  }
}
