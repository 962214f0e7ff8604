import type { Changes, Filed, Guard, HolderId, RepositoryRow, RunKey } from '@slotkeeper/core/driver'
import { type DomainDocument, firstDue } from './document.ts'
import { type Level, withEntry, withFirst, withoutEntry } from './levels.ts'
import type { Loaded } from './loaded.ts'
import { isFiledEntry, type Placed, type Placing } from './place-rows.ts'

/** How long after it was watched a domain without a repository is kept, in ms. */
const WATCHED_KEPT_MS = 3_600_000
/** So many holders without rows stay filed: filing them costs more than remembering them. */
const MOST_IDLE_HOLDERS = 4

/** The domain's document after a commit; `undefined` where nothing is left to keep. */
export function nextDocument(loaded: Loaded, changes: Changes, placing: Placing): DomainDocument | undefined {
  const { domain, document, now } = loaded
  const isDropped = changes.droppedRepositories.includes(domain)
  const changed = changes.repositories.find((row) => row.repository === domain)
  const repository = isDropped
    ? undefined
    : changed === undefined
      ? document.repository
      : { ...changed, numbers: [...changed.numbers] }
  const guard = changes.guard ?? document.guard
  const isWatched = guard.watchedUntil > 0 && guard.watchedUntil + WATCHED_KEPT_MS > now
  if (repository === undefined && !isWatched && !guard.backlog) return undefined
  const { placed, rows } = placing
  const dueFrom = nextDue(loaded, placed)
  return {
    guard,
    committedAt: now,
    repository,
    rows,
    levels: nextLevels(loaded, placed),
    holders: nextHolders(loaded, placing),
    dueFrom,
    wakeAt: wakeOf(repository, guard, firstDue({ rows, dueFrom })),
  }
}

function wakeOf(repository: RepositoryRow | undefined, guard: Guard, due: number | null): number | null {
  if (guard.backlog || repository?.status === 'removing') return 0
  if (repository === undefined) return guard.watchedUntil + WATCHED_KEPT_MS
  const goesAt = repository.status === 'removed' ? Math.ceil(repository.dueAt ?? 0) : null
  return goesAt === null ? due : due === null ? goesAt : Math.min(goesAt, due)
}

/** No row with keys of its own is due before this. */
function nextDue(
  { document, laterDue, overdue, overdueCut }: Loaded,
  placed: readonly Placed[],
): number | null {
  const times: number[] = []
  const known = laterDue === undefined ? document.dueFrom : laterDue
  if (known !== null) times.push(known)
  if (overdueCut && document.dueFrom !== null) times.push(document.dueFrom)
  const changed = new Set(placed.map(({ row }) => row.run))
  const packed = new Set(document.rows.map(({ run }) => run))
  const stay = overdue.filter(({ run }) => !changed.has(run) && !packed.has(run))
  const filed = placed.flatMap(({ is, row }) => (is === 'keys' ? row : []))
  for (const { dueAt, phase } of [...stay, ...filed])
    if (dueAt !== undefined && phase !== 'record') times.push(Math.ceil(dueAt))
  return times.length === 0 ? null : Math.min(...times)
}

function nextLevels({ document, filedHeads }: Loaded, placed: readonly Placed[]): readonly Level[] {
  let { levels } = document
  const gone = new Set<RunKey>()
  for (const { row, before, was } of placed)
    if (isFiledEntry(was, before)) {
      levels = withoutEntry(levels, (before as Filed).priority)
      gone.add(row.run)
    }
  levels = advanced(levels, filedHeads, gone)
  for (const { row, is } of placed)
    if (isFiledEntry(is, row)) levels = withEntry(levels, row.priority, row.sequence)
  return levels
}

/** Where the entries that were loaded are gone, the next search begins behind them. */
function advanced(
  levels: readonly Level[],
  heads: Loaded['filedHeads'],
  gone: ReadonlySet<RunKey>,
): readonly Level[] {
  if (gone.size === 0) return levels
  let next = levels
  const seen = new Set<number>()
  for (const [at, head] of heads.entries()) {
    if (seen.has(head.priority)) continue
    const ofLevel = heads.slice(at).filter(({ priority }) => priority === head.priority)
    const stays = ofLevel.find(({ run }) => !gone.has(run))
    const last = ofLevel.at(-1) as (typeof heads)[0]
    seen.add(head.priority)
    next = withFirst(next, head.priority, stays?.sequence ?? last.sequence + 1)
  }
  return next
}

function nextHolders({ document, dead }: Loaded, { placed, rows }: Placing): DomainDocument['holders'] {
  const counts = new Map<HolderId, number>(document.holders)
  const count = (filed: Filed | undefined, by: number) => {
    if (filed?.holder === undefined || (filed.phase !== 'waiting' && filed.phase !== 'running')) return
    counts.set(filed.holder, (counts.get(filed.holder) ?? 0) + by)
  }
  for (const { before: was, was: place } of placed) if (place === 'keys') count(was, -1)
  for (const { row, is } of placed) if (is === 'keys') count(row, 1)
  const present = new Set<HolderId>()
  for (const { holder } of rows) {
    if (holder === undefined || present.has(holder)) continue
    present.add(holder)
    if (!counts.has(holder)) counts.set(holder, 0)
  }
  const idle = [...counts].flatMap(([holder, filed]) => (filed > 0 || present.has(holder) ? [] : holder))
  const spared = idle.filter((holder) => !dead.includes(holder)).slice(-MOST_IDLE_HOLDERS)
  for (const holder of idle) if (!spared.includes(holder)) counts.delete(holder)
  return [...counts]
}
