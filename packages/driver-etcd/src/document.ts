import {
  type Guard,
  type HolderId,
  newRepository,
  type PackedRow,
  packRows,
  type RepositoryKey,
  type RepositoryRow,
  type RunRow,
  StoreError,
  unpackRows,
} from '@slotkeeper/core/driver'
import type { IKeyValue } from 'etcd3'
import type { Level } from './levels.ts'
import { keyOf } from './operations.ts'
import { rowOf } from './row-text.ts'
import { withoutBlank } from './without-blank.ts'

/**
 * What is kept of a domain in one key, whose revision is the guard of everything else in the domain: every commit writes it and compares that
 * nobody else has written it since the facts were loaded. Never changed, only replaced.
 */
export interface DomainDocument {
  readonly guard: Guard
  /** Store time of the last commit: no later one of the domain may be earlier. */
  readonly committedAt: number
  readonly repository: RepositoryRow | undefined
  /** The rows that are kept here and nowhere else: slots and entries, no records. All others have keys of their own. */
  readonly rows: readonly RunRow[]
  /** How the queue of the entries with keys of their own is to be read. */
  readonly levels: readonly Level[]
  /** The holders for which the domain is filed under `held/`, and how many rows with keys of their own each has. */
  readonly holders: readonly (readonly [HolderId, number])[]
  /** No row with keys of its own is due before this; `null`: none will be. */
  readonly dueFrom: number | null
  /** Where the domain is under `wake/`; `null`: nowhere. */
  readonly wakeAt: number | null
}

/** A domain of which nothing is kept. */
export const NO_DOCUMENT: DomainDocument = Object.freeze({
  guard: Object.freeze({ watchedUntil: 0, backlog: false }),
  committedAt: 0,
  repository: undefined,
  rows: Object.freeze([]),
  levels: Object.freeze([]),
  holders: Object.freeze([]),
  dueFrom: null,
  wakeAt: null,
})

/** A document without what is nothing, or usual. */
interface Kept extends Partial<Omit<DomainDocument, 'repository' | 'rows'>> {
  /** Names the driver that wrote it. */
  readonly writer: string
  readonly repository?: Pick<RepositoryRow, 'repository'> & Partial<RepositoryRow>
  readonly rows: readonly PackedRow[]
}

/** What stands in a domain's key. */
export function documentOf(kv: IKeyValue): DomainDocument {
  const { writer: _, repository, rows, ...others } = parsed<Kept>(kv)
  const document = { ...NO_DOCUMENT, ...others }
  const holders = document.holders.map(([holder]) => holder)
  const key = repository?.repository as RepositoryKey
  return {
    ...document,
    repository: repository && { ...newRepository(key, key), ...repository },
    rows: unpackRows(rows, key, holders),
  }
}

/** What is to stand in a domain's key. The holders of all rows are among its holders. */
export function documentText({ repository, rows, ...others }: DomainDocument, writer: string): string {
  const holders = others.holders.map(([holder]) => holder)
  const kept = {
    writer,
    ...withoutBlank(others, NO_DOCUMENT),
    repository: repository && {
      repository: repository.repository,
      ...withoutBlank(repository, newRepository(repository.repository, repository.repository)),
    },
  }
  return `${JSON.stringify(kept).slice(0, -1)},"rows":${packRows(rows, holders)}}`
}

/** Store time at which the first row is due, wherever it is kept. */
export function firstDue({ rows, dueFrom }: Pick<DomainDocument, 'rows' | 'dueFrom'>): number | null {
  let first = dueFrom
  for (const { dueAt } of rows)
    if (dueAt !== undefined && (first === null || dueAt < first)) first = Math.ceil(dueAt)
  return first
}

/** The row of a run, as its key or its place in the queue holds it; every call gives a new one. */
export function runOf(kv: IKeyValue): RunRow {
  return rowOf(parsed<Partial<RunRow>>(kv))
}

/** @throws StoreError `SLOTKEEPER_STORE_CORRUPT` for a value that is no object */
function parsed<T extends object>(kv: IKeyValue): T {
  try {
    const value: unknown = JSON.parse(kv.value.toString())
    if (typeof value === 'object' && value !== null) return value as T
  } catch (cause) {
    throw corrupt(kv, cause)
  }
  throw corrupt(kv, undefined)
}

function corrupt(kv: IKeyValue, cause: unknown): StoreError {
  return new StoreError(
    'SLOTKEEPER_STORE_CORRUPT',
    `The key ${JSON.stringify(keyOf(kv))} holds something that no driver has written.`,
    cause,
  )
}
