import type { Command } from '../../../src/commands.ts'
import type { Filed } from '../../../src/kept-runs.ts'
import type { HolderId, RepositoryKey, RunKey } from '../../../src/keys.ts'
import type { Changes, Facts } from '../../../src/recorded-section.ts'
import type { HolderRow, RepositoryRow, RunRow } from '../../../src/rows.ts'
import type { Guard } from '../../../src/section.ts'
import { sectionRequest } from '../../../src/section-request.ts'

/** The rows of one repository, which is a domain of its own. Rows are never changed in place, so that a copy of the map is a snapshot. */
export interface Domain {
  readonly repository: RepositoryRow | undefined
  readonly runs: ReadonlyMap<RunKey, RunRow>
  readonly guard: Guard
}

/** How little a decision gets to see, and how. */
export interface Window {
  /** The most overdue rows and the most heads; both at least 1. */
  readonly overdue: number
  readonly heads: number
  /** A full page says that there may be more, although it may be the last one. */
  readonly cautious: boolean
  /** A row in several lists is one object, or equal copies. */
  readonly shared: boolean
  /** Rows that are overdue only because their holder is are not noticed yet. */
  readonly late: boolean
}

/** A contract between store and decision that was broken. */
class BrokenContract extends Error {}

const NO_GUARD: Guard = Object.freeze({ watchedUntil: 0, backlog: false })
const NOTHING: Domain = Object.freeze({
  repository: undefined,
  runs: new Map<RunKey, RunRow>(),
  guard: NO_GUARD,
})

/** Plain maps that keep copies of what is committed. It checks what every store relies on, and has no policy. */
export class ReferenceStore {
  now = 1000
  tokenFloor = 0
  readonly domains = new Map<string, Domain>()
  readonly holders = new Map<HolderId, HolderRow>()

  domain(name: string): Domain {
    return this.domains.get(name) ?? NOTHING
  }

  /** The rows that the contract calls overdue. */
  overdueRows(name: string, late: boolean): RunRow[] {
    const { repository, runs } = this.domain(name)
    const rows = [...runs.values()]
    if (repository?.status === 'removing') return rows
    return rows.filter(
      (row) =>
        row.phase !== 'record' &&
        ((row.dueAt !== undefined && row.dueAt <= this.now) ||
          (!late && row.holder !== undefined && this.isGone(row.holder))),
    )
  }

  isGone(holder: HolderId): boolean {
    const row = this.holders.get(holder)
    return row === undefined || row.dead || row.expiresAt <= this.now
  }

  load(name: string, commands: readonly Command[], budget: number, window: Window): Facts {
    const request = sectionRequest({ domain: name, commands }, budget)
    const { repository, runs, guard } = this.domain(name)
    const shared = new Map<RunRow, RunRow>()
    const give = (row: RunRow): RunRow => {
      const known = window.shared ? shared.get(row) : undefined
      if (known !== undefined) return known
      const copy = { ...row }
      shared.set(row, copy)
      return copy
    }
    const named: RunRow[] = []
    for (const { run } of request.runs) {
      const row = runs.get(run)
      if (row !== undefined) named.push(row)
    }
    const overdue = this.overdueRows(name, window.late)
    const eligible = [...runs.values()].filter((row) => row.phase === 'waiting' && row.dueAt === undefined)
    eligible.sort((a, b) => b.priority - a.priority || a.sequence - b.sequence)
    const overduePage = overdue.slice(0, Math.min(window.overdue, request.overdue))
    const headsPage = eligible.slice(0, Math.min(window.heads, request.heads))
    const holders = new Set<HolderId>(request.holders)
    for (const row of [...named, ...overduePage, ...headsPage])
      if (row.holder !== undefined) holders.add(row.holder)
    const isCut = (shown: number, all: number, page: number) =>
      shown < all || (window.cautious && shown === page)
    return {
      domain: name,
      now: this.now,
      wall: this.now,
      tokenFloor: this.tokenFloor,
      guard: { ...guard },
      repositories: repository === undefined ? [] : [copyRepository(repository)],
      runs: named.map(give),
      holders: [...holders].flatMap((holder) => this.holders.get(holder) ?? []),
      overdue: overduePage.map(give),
      overdueCut: isCut(overduePage.length, overdue.length, Math.min(window.overdue, request.overdue)),
      heads: headsPage.map(give),
      headsCut: isCut(headsPage.length, eligible.length, Math.min(window.heads, request.heads)),
    }
  }

  /** Commits, or throws BrokenContract where the changes do not fit the rows. */
  commit(name: string, changes: Changes): void {
    const before = this.domain(name)
    const runs = new Map(before.runs)
    let { repository, guard } = before
    for (const key of changes.droppedRepositories) {
      need(repository?.repository === key, `drops ${key}, which has no row`)
      need(
        changes.tokenFloor >= (repository?.lastToken ?? 0),
        'drops a repository without raising the floor to its last token',
      )
      repository = undefined
    }
    for (const row of changes.repositories) {
      need(row.repository === (name as RepositoryKey), `changes ${row.repository} in ${name}`)
      repository = copyRepository(row)
    }
    for (const { row, before: filed } of changes.droppedRuns) {
      this.#checkFiled(runs.get(row.run), filed)
      need(filed !== undefined, 'drops a row that the store does not have')
      runs.delete(row.run)
    }
    for (const { row, before: filed } of changes.runs) {
      this.#checkFiled(runs.get(row.run), filed)
      runs.set(row.run, { ...row })
    }
    for (const holder of changes.buried) {
      const row = this.holders.get(holder)
      need(
        row === undefined || row.dead || row.expiresAt <= this.now,
        `buries ${holder}, which is not overdue`,
      )
      if (row !== undefined) this.holders.set(holder, { ...row, dead: true })
    }
    for (const holder of changes.bumped) {
      const row = this.holders.get(holder)
      if (row !== undefined) this.holders.set(holder, { ...row, epoch: row.epoch + 1 })
    }
    for (const holder of changes.alive)
      need(this.holders.get(holder)?.dead === false, `needs ${holder}, which is dead`)
    if (changes.guard !== undefined) guard = { ...changes.guard }
    this.tokenFloor = Math.max(this.tokenFloor, changes.tokenFloor)
    this.domains.set(name, { repository, runs, guard })
  }

  /** What sweeps do besides: forgets old records, and dead holders that no row names. */
  keepHouse(): void {
    const named = new Set<HolderId>()
    for (const [name, domain] of this.domains) {
      const kept = new Map<RunKey, RunRow>()
      for (const [run, row] of domain.runs)
        if (row.phase !== 'record' || row.dueAt === undefined || row.dueAt > this.now) {
          kept.set(run, row)
          if (row.holder !== undefined) named.add(row.holder)
        }
      this.domains.set(name, { ...domain, runs: kept })
    }
    for (const [holder, row] of this.holders) if (row.dead && !named.has(holder)) this.holders.delete(holder)
  }

  #checkFiled(stored: RunRow | undefined, filed: Filed | undefined): void {
    const same =
      stored === undefined || filed === undefined
        ? stored === undefined && filed === undefined
        : filed.phase === stored.phase &&
          filed.holder === stored.holder &&
          filed.dueAt === stored.dueAt &&
          filed.priority === stored.priority &&
          filed.sequence === stored.sequence
    need(same, `says that a row was filed as ${JSON.stringify(filed)}, but it was ${JSON.stringify(stored)}`)
  }
}

function need(condition: boolean, what: string): void {
  if (!condition) throw new BrokenContract(`The decision ${what}.`)
}

function copyRepository(row: RepositoryRow): RepositoryRow {
  return { ...row, numbers: row.numbers.slice(), removedUids: row.removedUids.slice() }
}
