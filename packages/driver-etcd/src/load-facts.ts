import {
  type DomainBatch,
  type HolderId,
  type HolderRow,
  InternalError,
  queueOrder,
  type RepositoryKey,
  type RunKey,
  type RunRow,
  type SectionRequest,
  sectionRequest,
} from '@slotkeeper/core/driver'
import type { IKeyValue, IRangeResponse, IRequestOp } from 'etcd3'
import { type DomainDocument, documentOf, NO_DOCUMENT, runOf } from './document.ts'
import { endOf, type KeySpace, runAt } from './keys.ts'
import { countOf } from './levels.ts'
import { isEntry, type Loaded, loadedOf, NOTHING_SUPPOSED, packedHeads } from './loaded.ts'
import { get, keyOf, range } from './operations.ts'
import { Queue } from './queue.ts'
import { type Moment, type Store, TIME_OPERATIONS } from './store.ts'

/** Of a domain with more holders than this, some are looked at in each load, in turn. */
const MOST_HOLDERS = 48
/** How many entries with keys of their own are loaded at least, once the document has too few: they go into the document. */
const FILED_PAGE = 24
const TIME_DIGITS = 16
/** So many runs of a repository that is being removed are listed at once. */
const LISTED = 5000

/**
 * Runs of the repository that is being removed, as a listing has found them, of which those at the front were shown to decisions already. etcd
 * walks through all keys of a range at every look, so they are listed by thousands and then looked up one by one.
 */
export interface Leaving {
  domain: string | undefined
  runs: readonly RunKey[]
}

/**
 * Loads what a decision needs, in rounds. Each `yield` gives the operations of one round, which begin with the domain's document, and gets
 * their answers. Whoever runs it sees to it that the document is the same in all rounds: then all is of the moment of the last one.
 */
export type Loading<T> = Generator<readonly IRequestOp[], T, readonly IRangeResponse[]>

/** The commands of a batch that one commit may hold, and of which one round asks for all runs and holders; the others are asked again. */
export function commandsOf(
  { commands }: DomainBatch,
  budget: number,
  { maxOperations }: Pick<Store, 'maxOperations'>,
): DomainBatch['commands'] {
  const most = Math.min(2 * budget, Math.floor(maxOperations / 2) - 8)
  return commands.length > most ? commands.slice(0, most) : commands
}

/** What one load has found so far. */
interface Finding {
  readonly store: Store
  readonly keys: KeySpace
  readonly domain: RepositoryKey
  readonly request: SectionRequest
  readonly own: IRequestOp
  document: DomainDocument
  revision: number
  now: number
  readonly holders: Map<HolderId, HolderRow | undefined>
  readonly overdue: Map<RunKey, RunRow>
  overdueCut: boolean
  laterDue: number | null | undefined
  filedHeads: readonly RunRow[]
}

/** What commands ask for, all of it of their domain. */
export function requestOf(domain: string, commands: DomainBatch['commands'], budget: number): SectionRequest {
  const request = sectionRequest({ domain, commands }, budget)
  if (request.repositories.some((key) => key !== domain))
    throw new InternalError(
      `The domain ${domain} was asked to decide for ${request.repositories.join(', ')}.`,
    )
  return request
}

/** See `Loading`. `moment` is asked once they are there, and at the end. */
export function* loading(store: Store, request: SectionRequest, moment: () => Moment): Loading<Loaded> {
  const { keys } = store
  const domain = request.domain as RepositoryKey
  const finding: Finding = {
    ...{ store, keys, domain, request },
    own: get(keys.domain(domain)),
    document: NO_DOCUMENT,
    revision: 0,
    now: 0,
    holders: new Map(),
    overdue: new Map(),
    overdueCut: false,
    laterDue: undefined,
    filedHeads: [],
  }
  const named = yield* loadNamed(finding)
  finding.now = Math.max(moment().now, finding.document.committedAt)
  const heads = yield* loadQueue(finding)
  yield* loadOverdue(finding)
  yield* loadHolders(finding, [...named, ...heads, ...finding.overdue.values()])
  const { document, revision, laterDue, holders, overdue, overdueCut, filedHeads } = finding
  for (const [holder, row] of holders) store.living.note(holder, row)
  if (revision > 0) store.memory.learn(domain, { document, revision })
  return loadedOf({
    ...{ domain, document, revision, named, heads, laterDue, overdueCut, filedHeads },
    // The time at which it was looked for what is due.
    ...{ now: finding.now, moment: moment() },
    overdue: [...overdue.values()],
    holders: [...holders.values()].filter((row) => row !== undefined),
    supposed: NOTHING_SUPPOSED,
    dead: [...holders].flatMap(([holder, row]) => (row === undefined ? holder : [])),
  })
}

/** The first round: the document, and what commands name. */
function* loadNamed(finding: Finding): Loading<RunRow[]> {
  const { keys, domain, request, own, holders } = finding
  const answers = yield [
    own,
    ...request.runs.map(({ run }) => get(keys.run(domain, run))),
    ...request.holders.map((holder) => get(keys.alive(holder))),
  ]
  const kv = answers[0]?.kvs[0]
  if (kv !== undefined) {
    finding.document = documentOf(kv)
    finding.revision = Number(kv.mod_revision)
  }
  const behindRuns = 1 + request.runs.length
  for (const [at, holder] of request.holders.entries())
    holders.set(holder, holderOf(holder, answers[behindRuns + at]?.kvs[0]))
  const { rows } = finding.document
  return request.runs.flatMap(
    ({ run }, at) => rows.find((row) => row.run === run) ?? answers[1 + at]?.kvs.map(runOf) ?? [],
  )
}

/** The second round and, rarely, further ones: the head of the queue, and with it the holders of the domain. */
function* loadQueue(finding: Finding): Loading<readonly RunRow[]> {
  const { store, keys, domain, request, document, holders } = finding
  const packed = packedHeads(document, request.heads)
  const isEnough = document.levels.length === 0 || packed.length >= request.heads
  const queue = new Queue(keys, domain, document.levels, isEnough ? 0 : Math.max(request.heads, FILED_PAGE))
  const others = document.holders.flatMap(([holder]) => (holders.has(holder) ? [] : holder))
  const strangers = inTurn(others, store.dead)
  const ranges = queue.ranges()
  const answers = yield* round(finding, [...ranges, ...strangers.map((holder) => get(keys.alive(holder)))])
  queue.hear(answers.slice(0, ranges.length))
  for (const [at, holder] of strangers.entries())
    holders.set(holder, holderOf(holder, answers[ranges.length + at]?.kvs[0]))
  if (isEnough) return packed
  for (;;) {
    const further = queue.ranges()
    if (further.length === 0) break
    queue.hear(yield* round(finding, further))
  }
  finding.filedHeads = queue.rows
  const all = [...document.rows.filter(isEntry), ...queue.rows].sort(queueOrder)
  const last = queue.rows.at(-1)
  // Behind the last one there may be others with keys of their own.
  const isAll = last === undefined || queue.rows.length >= countOf(document.levels)
  const known = isAll ? all : all.slice(0, all.indexOf(last) + 1)
  return known.slice(0, request.heads)
}

/** Only where something is overdue, or may be: which rows, and the rows. */
function* loadOverdue(finding: Finding): Loading<void> {
  const { keys, domain, request, document, overdue, now } = finding
  const limit = request.overdue + 1
  const isDead = (holder: HolderId) =>
    finding.holders.has(holder) && finding.holders.get(holder) === undefined
  if (document.repository?.status === 'removing') {
    for (const row of document.rows) overdue.set(row.run, row)
    // Those with keys of their own follow once the document's are gone.
    if (overdue.size > 0) finding.overdueCut = true
    else for (const row of yield* loadLeaving(finding)) overdue.set(row.run, row)
  } else {
    for (const row of document.rows)
      if ((row.dueAt ?? Number.POSITIVE_INFINITY) <= now || (row.holder !== undefined && isDead(row.holder)))
        overdue.set(row.run, row)
    const dues = keys.dues(domain)
    const mayBeDue = document.dueFrom !== null && document.dueFrom <= now
    const dead = document.holders.flatMap(([holder, rows]) => (rows > 0 && isDead(holder) ? holder : []))
    const [due, ...held] = yield* round(finding, [
      ...(mayBeDue ? [range(dues, endOf(dues), { limit: limit + 1, keysOnly: true })] : []),
      ...dead
        .map((holder) => keys.held(holder, domain))
        .map((prefix) => range(prefix, endOf(prefix), { limit, keysOnly: true })),
    ])
    const ofDead = mayBeDue ? held : due === undefined ? [] : [due, ...held]
    const runs = new Set<RunKey>()
    if (mayBeDue && due !== undefined) {
      const times = due.kvs.map((kv) => Number(keyOf(kv).slice(dues.length, dues.length + TIME_DIGITS)))
      finding.laterDue = times.find((time) => time > now) ?? null
      for (const [at, kv] of due.kvs.entries())
        if ((times[at] as number) <= now) runs.add(keyOf(kv).slice(dues.length + TIME_DIGITS + 1) as RunKey)
      // The page was full before a later time was met.
      if (finding.laterDue === null && due.more) finding.laterDue = now
    }
    for (const [at, found] of ofDead.entries())
      for (const kv of found.kvs)
        runs.add(runAt(keyOf(kv), keys.held(dead[at] as HolderId).length).run as RunKey)
    const shown = [...runs].slice(0, limit)
    const rows = yield* round(
      finding,
      shown.map((run) => get(keys.run(domain, run))),
    )
    for (const row of rows.flatMap(({ kvs }) => kvs.map(runOf))) overdue.set(row.run, row)
  }
  if (overdue.size <= request.overdue) return
  finding.overdueCut = true
  for (const run of [...overdue.keys()].slice(request.overdue)) overdue.delete(run)
}

/** Some rows of a repository that is being removed; none when there are none. */
function* loadLeaving(finding: Finding): Loading<RunRow[]> {
  const { store, keys, domain, request } = finding
  const { leaving } = store
  const prefix = keys.runs(domain)
  for (;;) {
    let left = leaving.domain === domain ? leaving.runs : []
    if (left.length === 0) {
      const listing = range(prefix, endOf(prefix), { limit: LISTED, keysOnly: true })
      const [listed] = yield* round(finding, [listing])
      left = listed?.kvs.map((kv) => keyOf(kv).slice(prefix.length) as RunKey) ?? []
      if (left.length === 0) return []
      finding.overdueCut = listed?.more === true
    } else finding.overdueCut = true
    const shown = left.slice(0, request.overdue)
    leaving.domain = domain
    leaving.runs = left.slice(request.overdue)
    if (leaving.runs.length > 0) finding.overdueCut = true
    const rows = yield* round(
      finding,
      shown.map((run) => get(keys.run(domain, run))),
    )
    // Others may have ended those that were listed a while ago.
    const found = rows.flatMap(({ kvs }) => kvs.map(runOf))
    if (found.length > 0) return found
  }
}

/** The holders of rows, as far as they are not known yet. */
function* loadHolders(finding: Finding, rows: readonly RunRow[]): Loading<void> {
  const { keys, holders } = finding
  const missing = new Set(
    rows.flatMap(({ holder }) => (holder === undefined || holders.has(holder) ? [] : holder)),
  )
  const answers = yield* round(
    finding,
    [...missing].map((holder) => get(keys.alive(holder))),
  )
  for (const [at, holder] of [...missing].entries())
    holders.set(holder, holderOf(holder, answers[at]?.kvs[0]))
}

/** Asks, behind the domain's document, in as many rounds as it takes; where there is nothing to ask, nobody is asked. */
function* round(
  { own, store }: Finding,
  operations: readonly IRequestOp[],
): Loading<readonly IRangeResponse[]> {
  // The document, and what the nested transaction of the clock has.
  const most = store.maxOperations - TIME_OPERATIONS - 2
  const answers: IRangeResponse[] = []
  for (let at = 0; at < operations.length; at += most)
    answers.push(...(yield [own, ...operations.slice(at, at + most)]).slice(1))
  return answers
}

/** The living holder that a key stands for; its epoch counts how often others wrote the key. */
export function holderOf(holder: HolderId, kv: IKeyValue | undefined): HolderRow | undefined {
  return kv === undefined
    ? undefined
    : { holder, expiresAt: Number.POSITIVE_INFINITY, dead: false, epoch: Number(kv.version) - 1 }
}

let turn = 0

/** All of them, or, where there are too many, some in turn, and first those that are said to be dead. */
function inTurn(holders: readonly HolderId[], suspects: ReadonlySet<HolderId>): readonly HolderId[] {
  if (holders.length <= MOST_HOLDERS) return holders
  turn = (turn + MOST_HOLDERS) % holders.length
  const first = holders.filter((holder) => suspects.has(holder))
  const others = [...holders.slice(turn), ...holders.slice(0, turn)].filter((holder) => !suspects.has(holder))
  return [...first, ...others].slice(0, MOST_HOLDERS)
}
