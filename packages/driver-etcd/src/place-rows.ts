import type { Changes, Filed, RunKey, RunRow } from '@slotkeeper/core/driver'
import { isBeforeAll } from './levels.ts'
import { isEntry, type Loaded } from './loaded.ts'

/** A document has so many rows at most; all of it is written at every commit. */
const MOST_ROWS = 96
/** So many of them are left to what comes next when entries are moved into the document. */
const SPARE_ROWS = 48
/** A row with more text than this in its `meta` is kept outside. */
const MOST_META = 2000

/** Where a row is kept. */
type Place = 'document' | 'keys' | 'nowhere'

/** A row that a commit changes or moves. */
export interface Placed {
  readonly row: RunRow
  readonly before: Filed | undefined
  readonly was: Place
  readonly is: Place
}

/** Where the rows of a domain are after a commit. */
export interface Placing {
  readonly placed: readonly Placed[]
  /** The document's. */
  readonly rows: readonly RunRow[]
}

/**
 * Finds places for what a decision changed: in the document, as long as there is room, or under keys of its own. Entries get a place in the
 * document only before all that have keys, so that it has the head of the queue; once it runs short, up to `moves` of those follow.
 */
export function placeRows(
  { document, filedHeads }: Pick<Loaded, 'document' | 'filedHeads'>,
  { runs, droppedRuns }: Changes,
  moves: number,
): Placing {
  const placed: Placed[] = []
  const next = new Map<RunKey, RunRow>(document.rows.map((row) => [row.run, row]))
  const wasAt = (run: RunKey, before: Filed | undefined): Place =>
    before === undefined ? 'nowhere' : document.rows.some((row) => row.run === run) ? 'document' : 'keys'
  for (const { row, before } of droppedRuns) {
    placed.push({ row, before, was: wasAt(row.run, before), is: 'nowhere' })
    next.delete(row.run)
  }
  for (const { row } of runs) if (row.phase === 'record') next.delete(row.run)
  for (const { row, before } of runs) {
    const was = wasAt(row.run, before)
    const fits =
      was === 'document' ||
      (next.size < MOST_ROWS && !isLarge(row) && (!isEntry(row) || isBeforeAll(document.levels, row)))
    const is = row.phase !== 'record' && fits ? 'document' : 'keys'
    placed.push({ row, before, was, is })
    // Whoever is told of the outcome has the row itself.
    if (is === 'document') next.set(row.run, { ...row })
  }
  for (const row of filedHeads) {
    if (moves-- <= 0 || next.size >= MOST_ROWS - SPARE_ROWS || isLarge(row)) break
    if (placed.some((one) => one.row.run === row.run)) continue
    placed.push({ row, before: row, was: 'keys', is: 'document' })
    next.set(row.run, row)
  }
  return { placed, rows: [...next.values()] }
}

/** What is filed under the levels before and after, for those who count. */
export function isFiledEntry(place: Place, filed: Filed | undefined): boolean {
  return place === 'keys' && filed !== undefined && isEntry(filed)
}

function isLarge({ meta }: RunRow): boolean {
  return meta !== undefined && JSON.stringify(meta).length > MOST_META
}
