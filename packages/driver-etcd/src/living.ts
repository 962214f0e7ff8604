import type { HolderId, HolderRow } from '@slotkeeper/core/driver'

/** So many holders are remembered at most. */
const MOST = 10_000

/**
 * The holders that were alive when this process last heard of them. Whoever supposes it still has the commit compare their keys; a death is
 * noticed by those who sweep.
 */
export class Living {
  readonly #holders = new Map<HolderId, HolderRow>()

  get(holder: HolderId): HolderRow | undefined {
    return this.#holders.get(holder)
  }

  clear(): void {
    this.#holders.clear()
  }

  /** Notes what was read of a holder. */
  note(holder: HolderId, row: HolderRow | undefined): void {
    if (row === undefined) {
      this.#holders.delete(holder)
      return
    }
    this.#holders.set(holder, row)
    if (this.#holders.size <= MOST) return
    for (const oldest of this.#holders.keys()) {
      this.#holders.delete(oldest)
      return
    }
  }
}
