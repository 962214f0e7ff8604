import type { Changes, Guard, HolderId, HolderRow, RepositoryRow, RunRow } from '@slotkeeper/core/driver'

/** All of a domain's rows. Kept as text, as most stores would: nobody changes a row by changing what was loaded. */
export interface Domain {
  readonly guard: Guard
  /** Store time of the last commit; no later one is decided at an earlier time. */
  readonly committedAt: number
  readonly repositories: readonly RepositoryRow[]
  readonly runs: readonly RunRow[]
}

/** Holders lie outside every domain: one heartbeat keeps all slots of a Manager. */
export type Holder = HolderRow & { readonly ttlMs: number }

const EMPTY: Domain = {
  guard: { watchedUntil: 0, backlog: false },
  committedAt: 0,
  repositories: [],
  runs: [],
}

/** Stands for your database: a text and a version for each domain, and a row for each holder. */
export class JsonStore {
  readonly holders = new Map<HolderId, Holder>()
  /** Tokens of removed repositories are never granted again. */
  tokenFloor = 0
  readonly #domains = new Map<string, { readonly version: number; readonly text: string }>()

  /** The domains that have ever been written. They stay: a version that began again at 0 would let an old commit in. */
  get domains(): readonly string[] {
    return [...this.#domains.keys()]
  }

  /** Store time, in ms. One process: its monotonic clock is the store's. */
  now(): number {
    return performance.now()
  }

  load(domain: string): { readonly version: number; readonly rows: Domain } {
    const found = this.#domains.get(domain)
    if (found === undefined) return { version: 0, rows: EMPTY }
    return { version: found.version, rows: JSON.parse(found.text) as Domain }
  }

  /**
   * Writes all of the changes or nothing.
   * @returns false when a condition does not hold any more: then load and decide again
   */
  commit(domain: string, version: number, now: number, changes: Changes): boolean {
    const { version: current, rows } = this.load(domain)
    if (current !== version) return false
    // Holders are not under the domain's version, so that these are looked at in the commit itself.
    for (const holder of changes.alive) if (this.holders.get(holder)?.dead !== false) return false
    for (const holder of changes.buried) {
      const row = this.holders.get(holder)
      if (row !== undefined && !row.dead && row.expiresAt > this.now()) return false
    }
    if (changes.empty) return true

    const repositories = new Map(rows.repositories.map((row) => [row.repository, row]))
    for (const key of changes.droppedRepositories) repositories.delete(key)
    for (const row of changes.repositories) repositories.set(row.repository, row)
    // JSON, since a key may hold any character that one would put between the two.
    const runs = new Map(rows.runs.map((row) => [JSON.stringify([row.repository, row.run]), row]))
    for (const { row } of changes.droppedRuns) runs.delete(JSON.stringify([row.repository, row.run]))
    for (const { row } of changes.runs) runs.set(JSON.stringify([row.repository, row.run]), row)
    const next: Domain = {
      guard: changes.guard ?? rows.guard,
      committedAt: now,
      repositories: [...repositories.values()],
      runs: [...runs.values()],
    }
    this.#domains.set(domain, { version: version + 1, text: JSON.stringify(next) })

    for (const holder of changes.buried) this.#change(holder, () => ({ dead: true }))
    for (const holder of changes.bumped) this.#change(holder, ({ epoch }) => ({ epoch: epoch + 1 }))
    // yours: raise the floor to changes.tokenFloor, in this same commit. (Rule 2: a repository that is removed and made again
    // must not grant its old tokens once more.)
    // yours: tell watchers of changes.events, when changes.notify says that somebody wants them. (Rule 7)
    return true
  }

  #change(id: HolderId, change: (row: Holder) => Partial<Holder>): void {
    const row = this.holders.get(id)
    if (row !== undefined) this.holders.set(id, { ...row, ...change(row) })
  }
}
