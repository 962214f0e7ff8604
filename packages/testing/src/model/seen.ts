import type { Decide, Guard, HolderId, HolderRow, RunRef, RunRow, Section } from '@slotkeeper/core/driver'

/** What a driver showed `decide` of one domain, in the decision that it committed. */
export interface Seen {
  readonly now: number
  readonly wall: number
  readonly tokenFloor: number
  readonly clockLagMs: number
  readonly by: HolderId | undefined
  readonly left: number
  readonly guard: Guard
  readonly overdueCut: boolean
  readonly headsCut: boolean
  /** Overdue rows in the order in which they were given out, and whether there was an end to them. */
  readonly overdue: RunRef[]
  overdueEnded: boolean
  /** As they were when they were first asked for. */
  readonly holders: Map<HolderId, HolderRow | undefined>
  readonly runs: { readonly ref: RunRef; readonly row: RunRow | undefined }[]
}

/** Stands between a driver and `decide`, and notes what each decision saw. A domain that is decided again is noted anew. */
export class Onlooker {
  readonly decide: Decide
  readonly #seen = new Map<string, Seen>()

  constructor(decide: Decide) {
    this.decide = (section, commands) => decide(this.watch(section), commands)
  }

  /** The section, of which is noted from now on what is seen in it. */
  watch(section: Section): Section {
    const seen = begin(section)
    this.#seen.set(section.domain, seen)
    return watched(section, seen)
  }

  /** Store time of the last decision of a domain. */
  timeOf(domain: string): number {
    return this.#seen.get(domain)?.now ?? 0
  }

  /** What the last decision of a domain saw; `undefined` when nothing was decided since the last time that this was asked. */
  take(domain: string): Seen | undefined {
    const seen = this.#seen.get(domain)
    this.#seen.delete(domain)
    return seen
  }
}

function begin(section: Section): Seen {
  const { now, wall, tokenFloor, clockLagMs, by, left, guard, overdueCut, headsCut } = section
  return {
    now,
    wall,
    tokenFloor,
    clockLagMs,
    by,
    left,
    guard: { ...guard },
    overdueCut,
    headsCut,
    overdue: [],
    overdueEnded: false,
    holders: new Map(),
    runs: [],
  }
}

/** The section, listened to. */
function watched(section: Section, seen: Seen): Section {
  const heard: Partial<Section> = {
    overdue() {
      const row = section.overdue()
      if (row === undefined) seen.overdueEnded = true
      else seen.overdue.push({ repository: row.repository, run: row.run })
      return row
    },
    holder(id) {
      const row = section.holder(id)
      if (!seen.holders.has(id)) seen.holders.set(id, row && { ...row })
      return row
    },
    run(repository, run) {
      const row = section.run(repository, run)
      if (!seen.runs.some(({ ref }) => ref.repository === repository && ref.run === run))
        seen.runs.push({ ref: { repository, run }, row: row && { ...row } })
      return row
    },
  }
  return new Proxy(section, {
    get(target, name) {
      if (name in heard) return Reflect.get(heard, name)
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
