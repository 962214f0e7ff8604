import type { IKeyValue } from 'etcd3'
import { type DomainDocument, documentOf } from './document.ts'

/** So much is remembered at most: domains, and rows of all of them. */
const MOST = 20_000
/** A row in a document that nobody has read takes so many bytes or more. */
const ROW_BYTES = 64

/** A domain as it was after the revision. */
export interface Known {
  readonly document: DomainDocument
  readonly revision: number
}

interface Entry {
  readonly revision: number
  /** The document, or what is to be read once somebody asks. */
  document: DomainDocument | undefined
  kv: IKeyValue | undefined
  readonly size: number
}

/**
 * What this process last knew of the domains that it uses. It may be old: whoever decides on it has the commit compare the revision. The
 * domains that were not used for longest are forgotten first.
 */
export class Memory {
  readonly #domains = new Map<string, Entry>()
  #size = 0

  /** What was last known; nothing, too, where it cannot be read: a load tells why, for this domain alone. */
  get(domain: string): Known | undefined {
    const entry = this.#domains.get(domain)
    if (entry === undefined) return undefined
    try {
      entry.document ??= documentOf(entry.kv as IKeyValue)
    } catch {
      this.forget(domain)
      return undefined
    }
    entry.kv = undefined
    this.#domains.delete(domain)
    this.#domains.set(domain, entry)
    return entry as Known
  }

  /** Notes what was read or committed, unless something newer is known. */
  learn(domain: string, { document, revision }: Known): void {
    this.#note(domain, { revision, document, kv: undefined, size: 1 + document.rows.length })
  }

  /** The same for a document that nobody has read yet. */
  hear(domain: string, kv: IKeyValue): void {
    const size = 1 + kv.value.length / ROW_BYTES
    this.#note(domain, { revision: Number(kv.mod_revision), document: undefined, kv, size })
  }

  forget(domain: string): void {
    const entry = this.#domains.get(domain)
    if (entry === undefined) return
    this.#domains.delete(domain)
    this.#size -= entry.size
  }

  clear(): void {
    this.#domains.clear()
    this.#size = 0
  }

  #note(domain: string, entry: Entry): void {
    const before = this.#domains.get(domain)
    if (before !== undefined && before.revision >= entry.revision) return
    this.forget(domain)
    this.#domains.set(domain, entry)
    this.#size += entry.size
    for (const oldest of this.#domains.keys()) {
      if (this.#size <= MOST) break
      this.forget(oldest)
    }
  }
}
