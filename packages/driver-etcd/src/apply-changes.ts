import {
  type Changes,
  type Filed,
  type HolderId,
  isForOthers,
  isSlot,
  type RunRow,
  type Told,
} from '@slotkeeper/core/driver'
import type { ICompare, IRequestOp } from 'etcd3'
import { type DomainDocument, documentText } from './document.ts'
import { type KeySpace, timeKey } from './keys.ts'
import { isEntry, type Loaded } from './loaded.ts'
import { nextDocument } from './next-document.ts'
import { absent, del, exists, isAbove, isValue, nested, put, touch, unchanged } from './operations.ts'
import { type Placed, placeRows } from './place-rows.ts'
import { rowText } from './row-text.ts'
import type { Moment } from './store.ts'

/** How long after the end of a repository its last word to watchers is kept, in ms. */
const LAST_WORD_MS = 60_000
/** The most operations that one changed row costs: its own key, and those under which it was and is filed. */
const OPERATIONS_PER_ROW = 6
/** What it costs to move an entry into the document: its key, its place in the queue, its holder's. */
const OPERATIONS_PER_MOVE = 3

/** What one domain's decision commits: all of it if the conditions hold, else nothing. */
export interface Commit {
  readonly compare: ICompare[]
  readonly operations: IRequestOp[]
  /** It writes keys that other domains' commits may write as well, so it cannot be in one transaction with them. */
  readonly isAlone: boolean
  /** What the domain's document is after it; `undefined` where nothing is left to keep. */
  readonly document: DomainDocument | undefined
}

/** What a decision recorded, as a commit; `undefined` where there is nothing to write. It has as many operations as the changes take. */
export function commitOf(
  keys: KeySpace,
  loaded: Loaded,
  changes: Changes,
  options: {
    readonly by: HolderId | undefined
    readonly origin: string
    readonly maxOperations: number
  },
): Commit | undefined {
  const { domain, moment, document, revision, laterDue, now, overdue, overdueCut, supposed } = loaded
  const wrongTime = document.dueFrom !== null && laterDue !== undefined && laterDue !== document.dueFrom
  const isOver = document.repository === undefined && document.wakeAt !== null && document.wakeAt <= now
  const isSettled = overdue.length === 0 && !overdueCut
  if (changes.empty && !(isSettled && (wrongTime || isOver))) return undefined
  const compare = [unchanged(keys.domain(domain), revision)]
  // What came and went meanwhile has raised the floor.
  if (revision === 0) compare.push(isFloor(keys, moment))
  for (const run of supposed.absent) compare.push(absent(keys.run(domain, run)))
  for (const holder of new Set([...supposed.alive, ...changes.alive, ...changes.bumped]))
    compare.push(exists(keys.alive(holder)))
  for (const holder of changes.buried) compare.push(absent(keys.alive(holder)))
  const operations: IRequestOp[] = []
  for (const holder of changes.bumped) operations.push(touch(keys.alive(holder)))
  if (changes.tokenFloor > 0) operations.push(raise(keys, changes.tokenFloor))
  const room =
    options.maxOperations / 2 - OPERATIONS_PER_ROW * (changes.runs.length + changes.droppedRuns.length)
  const placing = placeRows(loaded, changes, Math.floor(room / OPERATIONS_PER_MOVE))
  for (const placed of placing.placed) operations.push(...runOperations(keys, placed))
  const next = nextDocument(loaded, changes, placing)
  operations.push(...holderOperations(keys, loaded, next))
  const own = keys.domain(domain)
  operations.push(next === undefined ? del(own) : put(own, documentText(next, options.origin)))
  const wakeAt = next?.wakeAt ?? null
  if (wakeAt !== document.wakeAt) {
    if (document.wakeAt !== null) operations.push(del(keys.wake(document.wakeAt, domain)))
    if (wakeAt !== null) operations.push(put(keys.wake(wakeAt, domain), ''))
  }
  if (changes.notify) {
    const section = { by: options.by, now, guard: changes.guard ?? document.guard }
    const events = changes.events.filter((event) => isForOthers(section, event))
    const told: Told = { origin: options.origin, events }
    operations.push(put(keys.event(domain), JSON.stringify(told)))
    if (next === undefined) operations.push(put(keys.oldEvent(now + LAST_WORD_MS, domain), ''))
  }
  const isAlone = changes.bumped.length > 0 || changes.tokenFloor > 0
  return { compare, operations, isAlone, document: next }
}

/** Writes the token floor unless it is higher already. */
export function raise(keys: KeySpace, floor: number): IRequestOp {
  // A floor that is as high or higher stays: the comparison fails where there is none.
  return nested({
    compare: [isAbove(keys.floor, timeKey(floor))],
    failure: [put(keys.floor, timeKey(floor))],
  })
}

/** Holds while the token floor is what the moment says. */
export function isFloor(keys: KeySpace, { floorText }: Moment): ICompare {
  return floorText === undefined ? absent(keys.floor) : isValue(keys.floor, floorText)
}

/** What the key of a slot says, for those who compare it in transactions of their own. */
export function slotText({ phase, token }: Pick<RunRow, 'phase' | 'token'>): string {
  return `${phase} ${token}`
}

/** The keys under which a row that has one of its own is filed besides. */
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
  return { entry: isEntry({ phase, dueAt }) ? keys.entry(repository, priority, sequence) : undefined, others }
}

const NO_FILES: ReturnType<typeof filesOf> = { entry: undefined, others: [] }

function runOperations(keys: KeySpace, { row, before, was, is }: Placed): IRequestOp[] {
  const { repository, run } = row
  const files = was === 'keys' ? filesOf(keys, row, before as Filed) : NO_FILES
  const next = is === 'keys' ? filesOf(keys, row, row) : NO_FILES
  const operations: IRequestOp[] = []
  if (is === 'keys') {
    const text = rowText(row)
    operations.push(put(keys.run(repository, run), text))
    if (next.entry !== undefined) operations.push(put(next.entry, text))
  } else if (was === 'keys') operations.push(del(keys.run(repository, run)))
  if (files.entry !== undefined && files.entry !== next.entry) operations.push(del(files.entry))
  const isOne = is !== 'nowhere' && isSlot(row.phase)
  const wasOne = before !== undefined && isSlot(before.phase)
  const slot = keys.slot(repository, run)
  if (wasOne && !isOne) operations.push(del(slot))
  // A slot gets another token only with another phase.
  if (isOne && before?.phase !== row.phase) operations.push(put(slot, slotText(row)))
  for (const key of files.others) if (!next.others.includes(key)) operations.push(del(key))
  for (const key of next.others) if (!files.others.includes(key)) operations.push(put(key, ''))
  return operations
}

/** Files the domain for new holders, and forgets it for those that are gone from its document. */
function holderOperations(
  keys: KeySpace,
  { domain, document }: Loaded,
  next: DomainDocument | undefined,
): IRequestOp[] {
  const is = next?.holders ?? []
  const without = (all: DomainDocument['holders'], of: DomainDocument['holders']) =>
    all.flatMap(([holder]) => (of.some(([other]) => other === holder) ? [] : holder))
  return [
    ...without(is, document.holders).map((holder) => put(keys.holds(holder, domain), '')),
    ...without(document.holders, is).map((holder) => del(keys.holds(holder, domain))),
  ]
}
