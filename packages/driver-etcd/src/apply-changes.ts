import {
  type Changes,
  type Filed,
  type Guard,
  type HolderId,
  isSlot,
  type RepositoryKey,
  type RepositoryRow,
  type RunChange,
  type RunRow,
  type Told,
} from '@slotkeeper/core/driver'
import type { ICompare, IRequestOp } from 'etcd3'
import type { DomainDocument } from './document.ts'
import { type KeySpace, timeKey } from './keys.ts'
import { type Level, withEntry, withFirst, withoutEntry } from './levels.ts'
import type { Loaded } from './load-facts.ts'
import { absent, del, exists, isAbove, nested, notAfter, put, touch, unchanged } from './operations.ts'

/** How long after the end of a repository its last word to watchers is kept, in ms. */
const LAST_WORD_MS = 60_000
/** How long after it was watched a domain without a repository is kept, in ms. */
const WATCHED_KEPT_MS = 3_600_000

/** What one domain's decision commits: all of it if the conditions hold, else nothing. */
export interface Commit {
  readonly compare: readonly ICompare[]
  readonly operations: readonly IRequestOp[]
  /** It writes keys that other domains' commits may write as well, so it cannot be in one transaction with them. */
  readonly isAlone: boolean
}

/** What a decision recorded, as a commit; `undefined` where there is nothing to write. */
export function commitOf(
  keys: KeySpace,
  loaded: Loaded,
  changes: Changes,
  options: { readonly origin: string; readonly atRevision: number },
): Commit | undefined {
  const { facts, document, revision, laterDue } = loaded
  const wrongTime = document.dueFrom !== null && laterDue !== undefined && laterDue !== document.dueFrom
  const isOver = document.repository === undefined && document.wakeAt !== null && document.wakeAt <= facts.now
  const isSettled = facts.overdue.length === 0 && !facts.overdueCut
  if (changes.empty && !(isSettled && (wrongTime || isOver))) return undefined
  const { domain } = facts
  const next = nextDocument(loaded, changes)
  const compare = [unchanged(keys.domain(domain), revision)]
  // What came and went meanwhile has raised the floor.
  if (revision === 0) compare.push(notAfter(keys.floor, options.atRevision))
  for (const holder of new Set([...changes.alive, ...changes.bumped]))
    compare.push(exists(keys.alive(holder)))
  for (const holder of changes.buried) compare.push(absent(keys.alive(holder)))
  const operations: IRequestOp[] = []
  for (const change of [...changes.runs, ...changes.droppedRuns])
    operations.push(...runOperations(keys, change, changes.droppedRuns.includes(change)))
  operations.push(
    next === undefined ? del(keys.domain(domain)) : put(keys.domain(domain), JSON.stringify(next)),
  )
  const wakeAt = next?.wakeAt ?? null
  if (wakeAt !== document.wakeAt) {
    if (document.wakeAt !== null) operations.push(del(keys.wake(document.wakeAt, domain)))
    if (wakeAt !== null) operations.push(put(keys.wake(wakeAt, domain), ''))
  }
  for (const holder of changes.bumped) operations.push(touch(keys.alive(holder)))
  if (changes.tokenFloor > 0) operations.push(raise(keys, changes.tokenFloor))
  if (changes.notify) {
    const told: Told = { origin: options.origin, events: changes.events }
    operations.push(put(keys.event(domain), JSON.stringify(told)))
    if (next === undefined) operations.push(put(keys.oldEvent(facts.now + LAST_WORD_MS, domain), ''))
  }
  return { compare, operations, isAlone: changes.bumped.length > 0 || changes.tokenFloor > 0 }
}

/** Writes the token floor unless it is higher already. */
export function raise(keys: KeySpace, floor: number): IRequestOp {
  // A floor that is as high or higher stays: the comparison fails where there is none.
  return nested({
    compare: [isAbove(keys.floor, timeKey(floor))],
    failure: [put(keys.floor, timeKey(floor))],
  })
}

/** The keys under which a row is filed besides its own, with what they hold. */
function filesOf(
  keys: KeySpace,
  { repository, run }: RunRow,
  { phase, holder, dueAt, priority, sequence }: Filed,
): { readonly entry: string | undefined; readonly others: readonly string[] } {
  const others: string[] = []
  if (holder !== undefined && (phase === 'waiting' || phase === 'running'))
    others.push(keys.held(holder, repository, run))
  if (dueAt !== undefined)
    others.push(
      phase === 'record'
        ? keys.oldRun(Math.ceil(dueAt), repository, run)
        : keys.due(repository, Math.ceil(dueAt), run),
    )
  const isEntry = phase === 'waiting' && dueAt === undefined
  return { entry: isEntry ? keys.entry(repository, priority, sequence) : undefined, others }
}

/** What the key of a slot says, for those who compare it in transactions of their own. */
export function slotText({ phase, token }: Pick<RunRow, 'phase' | 'token'>): string {
  return `${phase} ${token}`
}

const NO_FILES: ReturnType<typeof filesOf> = { entry: undefined, others: [] }

function runOperations(keys: KeySpace, { row, before }: RunChange, isDropped: boolean): IRequestOp[] {
  const was = before === undefined ? NO_FILES : filesOf(keys, row, before)
  const is = isDropped ? NO_FILES : filesOf(keys, row, row)
  const text = JSON.stringify(row)
  const own = keys.run(row.repository, row.run)
  const operations = [isDropped ? del(own) : put(own, text)]
  if (was.entry !== undefined && was.entry !== is.entry) operations.push(del(was.entry))
  if (is.entry !== undefined) operations.push(put(is.entry, text))
  const isOne = !isDropped && isSlot(row.phase)
  const wasOne = before !== undefined && isSlot(before.phase)
  const slot = keys.slot(row.repository, row.run)
  if (wasOne && !isOne) operations.push(del(slot))
  // A slot gets another token only with another phase.
  if (isOne && before?.phase !== row.phase) operations.push(put(slot, slotText(row)))
  for (const key of was.others) if (!is.others.includes(key)) operations.push(del(key))
  for (const key of is.others) if (!was.others.includes(key)) operations.push(put(key, ''))
  return operations
}

/** The domain's document after the commit; `undefined` where nothing is left to keep. */
function nextDocument(loaded: Loaded, changes: Changes): DomainDocument | undefined {
  const { facts, document, heads } = loaded
  const key = facts.domain as RepositoryKey
  const isDropped = changes.droppedRepositories.includes(key)
  const repository = isDropped
    ? undefined
    : (changes.repositories.find((row) => row.repository === key) ?? facts.repositories[0])
  const guard = changes.guard ?? document.guard
  const isWatched = guard.watchedUntil > 0 && guard.watchedUntil + WATCHED_KEPT_MS > facts.now
  if (repository === undefined && !isWatched && !guard.backlog) return undefined
  const dueFrom = nextDue(loaded, changes)
  return {
    guard,
    committedAt: facts.now,
    repository,
    levels: nextLevels(heads, document.levels, changes),
    holders: nextHolders(document.holders, changes),
    dueFrom,
    wakeAt: wakeOf(repository, guard, dueFrom),
  }
}

function wakeOf(repository: RepositoryRow | undefined, guard: Guard, dueFrom: number | null): number | null {
  if (guard.backlog || repository?.status === 'removing') return 0
  if (repository === undefined) return guard.watchedUntil + WATCHED_KEPT_MS
  const goesAt = repository.status === 'removed' ? Math.ceil(repository.dueAt ?? 0) : null
  return goesAt === null ? dueFrom : dueFrom === null ? goesAt : Math.min(goesAt, dueFrom)
}

/** No row is due before this. */
function nextDue({ facts, document, laterDue }: Loaded, { runs, droppedRuns }: Changes): number | null {
  const times: number[] = []
  const known = laterDue === undefined ? document.dueFrom : laterDue
  if (known !== null) times.push(known)
  const changed = new Set([...runs, ...droppedRuns].map(({ row }) => row.run))
  if (facts.overdueCut && document.dueFrom !== null) times.push(document.dueFrom)
  for (const row of facts.overdue)
    if (!changed.has(row.run) && row.dueAt !== undefined && row.phase !== 'record')
      times.push(Math.ceil(row.dueAt))
  for (const { row } of runs)
    if (row.dueAt !== undefined && row.phase !== 'record') times.push(Math.ceil(row.dueAt))
  return times.length === 0 ? null : Math.min(...times)
}

function nextLevels(
  heads: Loaded['heads'],
  before: readonly Level[],
  { runs, droppedRuns }: Changes,
): readonly Level[] {
  let levels = before
  const isEntry = (filed: Filed | undefined) => filed?.phase === 'waiting' && filed.dueAt === undefined
  const gone = new Set<string>()
  for (const { row, before: was } of [...droppedRuns, ...runs])
    if (was !== undefined && isEntry(was)) {
      levels = withoutEntry(levels, was.priority)
      gone.add(row.run)
    }
  levels = advanced(levels, heads, gone)
  for (const { row } of runs) if (isEntry(row)) levels = withEntry(levels, row.priority, row.sequence)
  return levels
}

/** Where the heads that were loaded are gone, the next search begins behind them. */
function advanced(
  levels: readonly Level[],
  heads: Loaded['heads'],
  gone: ReadonlySet<string>,
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

function nextHolders(
  before: DomainDocument['holders'],
  { runs, droppedRuns }: Changes,
): DomainDocument['holders'] {
  const counts = new Map<HolderId, number>(before)
  const count = (filed: Filed | undefined, by: number) => {
    if (filed?.holder === undefined || (filed.phase !== 'waiting' && filed.phase !== 'running')) return
    counts.set(filed.holder, (counts.get(filed.holder) ?? 0) + by)
  }
  for (const { before: was } of [...droppedRuns, ...runs]) count(was, -1)
  for (const { row } of runs) count(row, 1)
  return [...counts].filter(([, rows]) => rows > 0)
}
