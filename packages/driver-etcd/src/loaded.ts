import {
  type Facts,
  type HolderId,
  type HolderRow,
  queueOrder,
  type RepositoryKey,
  type RunKey,
  type RunRow,
} from '@slotkeeper/core/driver'
import type { DomainDocument } from './document.ts'
import { countOf, isBeforeAll } from './levels.ts'
import type { Moment } from './store.ts'

/** What is known of a domain. */
export interface Loaded {
  /** The facts, with rows that a decision may change; every call gives new ones. */
  readonly facts: () => Facts
  readonly domain: RepositoryKey
  readonly moment: Moment
  /** Store time: that of the moment, or of the domain's last commit. */
  readonly now: number
  readonly document: DomainDocument
  /** The revision of the document's key; 0 where there is none. */
  readonly revision: number
  /** Overdue rows that the facts show, and whether there may be others. */
  readonly overdue: readonly RunRow[]
  readonly overdueCut: boolean
  /** When the first row with a key of its own is due that the facts do not show, `null` for never; `undefined` where nobody looked. */
  readonly laterDue: number | null | undefined
  /** The first entries with keys of their own, in queue order. */
  readonly filedHeads: readonly RunRow[]
  /** Runs that are supposed to have no key, and holders that are supposed to be alive: nobody has looked. */
  readonly supposed: { readonly absent: readonly RunKey[]; readonly alive: readonly HolderId[] }
  /** Holders that were found dead. */
  readonly dead: readonly HolderId[]
}

/** Of what was looked at nothing is supposed. */
export const NOTHING_SUPPOSED: Loaded['supposed'] = { absent: [], alive: [] }

/** What is known, and the rows and holders that the facts show. */
interface Parts extends Omit<Loaded, 'facts'> {
  readonly named: readonly RunRow[]
  readonly heads: readonly RunRow[]
  readonly holders: readonly HolderRow[]
}

/** Puts together what is known of a domain. */
export function loadedOf({ named, heads, holders, ...parts }: Parts): Loaded {
  const { domain, document, moment, now, overdue, overdueCut } = parts
  const { repository, rows, levels, guard } = document
  const headsCut = rows.filter(isEntry).length + countOf(levels) > heads.length
  return {
    ...parts,
    facts: () => ({
      ...{ domain, now, wall: moment.wall, tokenFloor: moment.floor, guard, holders, overdueCut, headsCut },
      repositories: repository === undefined ? [] : [{ ...repository, numbers: [...repository.numbers] }],
      runs: named.map(copyOf),
      overdue: overdue.map(copyOf),
      heads: heads.map(copyOf),
    }),
  }
}

function copyOf(row: RunRow): RunRow {
  return { ...row }
}

/** Whether the row stands in the queue and may be next. */
export function isEntry({ phase, dueAt }: Pick<RunRow, 'phase' | 'dueAt'>): boolean {
  return phase === 'waiting' && dueAt === undefined
}

/** The first entries of the document, as far as they are the first of the queue. */
export function packedHeads({ rows, levels }: DomainDocument, wanted: number): readonly RunRow[] {
  return rows
    .filter((row) => isEntry(row) && isBeforeAll(levels, row))
    .sort(queueOrder)
    .slice(0, wanted)
}
