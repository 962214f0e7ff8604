import {
  type Guard,
  type HolderId,
  type RepositoryRow,
  type RunRow,
  StoreError,
} from '@slotkeeper/core/driver'
import type { IKeyValue } from 'etcd3'
import type { Level } from './levels.ts'
import { keyOf } from './operations.ts'

/**
 * What is kept of a domain in one key, whose revision is the guard of everything else in the domain: every commit writes it and compares that
 * nobody else has written it since the facts were loaded.
 */
export interface DomainDocument {
  readonly guard: Guard
  /** Store time of the last commit: no later one of the domain may be earlier. */
  readonly committedAt: number
  readonly repository: RepositoryRow | undefined
  /** How its queue is to be read. */
  readonly levels: readonly Level[]
  /** How many rows wait or run for each holder. */
  readonly holders: readonly (readonly [HolderId, number])[]
  /** No row is due before this; `null`: none will be. */
  readonly dueFrom: number | null
  /** Where the domain is under `wake/`; `null`: nowhere. */
  readonly wakeAt: number | null
}

/** A domain of which nothing is kept. */
export const NO_DOCUMENT: DomainDocument = Object.freeze({
  guard: Object.freeze({ watchedUntil: 0, backlog: false }),
  committedAt: 0,
  repository: undefined,
  levels: Object.freeze([]),
  holders: Object.freeze([]),
  dueFrom: null,
  wakeAt: null,
})

/** What stands in a domain's key; every call gives new objects. */
export function documentOf(kv: IKeyValue): DomainDocument {
  return parsed<DomainDocument>(kv)
}

/** The row of a run, as its key or its place in the queue holds it; every call gives a new one. */
export function runOf(kv: IKeyValue): RunRow {
  return parsed<RunRow>(kv)
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
