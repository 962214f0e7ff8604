/**
 * All in which a driver may differ from the model, and why:
 *
 * - Store time, wall time and the token floor are the store's. The model decides with those that the driver showed; it checks that time
 *   does not go back, agrees with what reads tell, and that the floor is not below what removals left.
 * - Rows may carry fields of the driver's own, absent fields may be `undefined`, `meta` may have any prototype.
 * - A place may be counted up to some number and then told as `atLeast`.
 * - Rows whose holder died may be noticed a moment late: the model settles those that the driver showed. Rows whose time is over, and all
 *   in a domain that a sweep named, must be shown.
 * - A holder may live up to the manifest's clock lag longer than its TTL, or, in a store with leases, until the store ends it; and such a
 *   store ends it by real time, however far store time has got.
 * - Slots are listed in any order, and a listing of a repository may be a moment old.
 * - A record past its `dueAt` may be there still, or not. Those of a repository that is being removed may be left behind: then they are
 *   never found again.
 * - Events that nobody watches may be left out of what a commit tells.
 * - A backlog may be told where a full page says only that there may be more.
 */
import type { Place, RepositoryRow, RunRow, StoreEvent } from '@slotkeeper/core/driver'

const RUN_FIELDS = [
  'repository',
  'run',
  'phase',
  'runUid',
  'ticket',
  'grantedTo',
  'durable',
  'holder',
  'priority',
  'sequence',
  'token',
  'number',
  'meta',
  'dueAt',
  'holdUntil',
  'maxHoldMs',
  'claimTimeoutMs',
  'leaseTtlMs',
  'parks',
  'state',
  'queuedAt',
  'acquiredAt',
  'startedAt',
  'endedAt',
  'ending',
  'endedBy',
  'successor',
] as const satisfies readonly (keyof RunRow)[]

const REPOSITORY_FIELDS = [
  'repository',
  'domain',
  'status',
  'state',
  'local',
  'global',
  'removedUids',
  'lastToken',
  'lastSequence',
  'live',
  'reserved',
  'orphaned',
  'waiting',
  'parked',
  'numbers',
  'dueAt',
] as const satisfies readonly (keyof RepositoryRow)[]

const EVENT_FIELDS = [
  'kind',
  'repository',
  'run',
  'holder',
  'ticket',
  'phase',
  'token',
  'number',
  'at',
  'detail',
] as const satisfies readonly (keyof StoreEvent)[]

/** Data without what may differ: fields of the contract only, none of them `undefined`. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [field: string]: Plain }

/** A run's row as it is compared: the fields of the contract only. */
export function plainRun(row: RunRow): Plain {
  return picked(row, RUN_FIELDS)
}

/** The same of a repository's row. */
export function plainRepository(row: RepositoryRow): Plain {
  return picked(row, REPOSITORY_FIELDS)
}

/** The same of an event. */
export function plainEvent(event: StoreEvent): Plain {
  return picked(event, EVENT_FIELDS)
}

/** An outcome with the row that it gives out. */
export function plainOutcome(outcome: object | undefined): Plain {
  if (outcome === undefined) return 'no outcome'
  const { row, ...others } = outcome as { row?: RunRow }
  return { ...(plain(others) as object), ...(row === undefined ? {} : { row: plainRun(row) }) } as Plain
}

function picked<T extends object>(row: T, fields: readonly (keyof T & string)[]): Plain {
  return Object.fromEntries(
    fields.flatMap((field) => (row[field] === undefined ? [] : [[field, plain(row[field])]])),
  )
}

function plain(value: unknown): Plain {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value as Plain
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, part]) => (part === undefined ? [] : [[name, plain(part)]])),
  )
}

/** Whether two places may be the same one. */
export function placesAgree(driver: Place | undefined, model: Place | undefined): boolean {
  if (driver === undefined || model === undefined) return driver === model
  if (typeof driver === 'number' && typeof model === 'number') return driver === model
  if (typeof driver === 'number') return driver >= (model as { readonly atLeast: number }).atLeast
  return typeof model !== 'number' || driver.atLeast <= model
}
