import {
  type HolderId,
  type HolderRow,
  type Place,
  type Query,
  queueOrder,
  type RepositoryKey,
  type RunKey,
  type RunRef,
  type RunRow,
  type Snapshot,
} from '@slotkeeper/core/driver'
import type { IKeyValue, IRangeResponse, IRequestOp } from 'etcd3'
import { type DomainDocument, documentOf, runOf } from './document.ts'
import { endOf, runAt } from './keys.ts'

import { holderOf } from './load-facts.ts'
import { isEntry } from './loaded.ts'
import { get, keyOf, type RangeOptions, range } from './operations.ts'
import { Queue } from './queue.ts'
import { rangeOf } from './requests.ts'
import { type Moment, readNow, type Store, TIME_OPERATIONS } from './store.ts'

/** Places are counted up to here; further back it is only said that they are. */
const COUNTED_PLACES = 1000
/** How many keys one range gives at most. */
const PAGE = 1000

/** Answers a query from one moment of the store: the first read fixes the revision, and the others are of the same one. */
export async function readSnapshot(
  store: Store,
  query: Query,
  signal: AbortSignal | undefined,
): Promise<Snapshot> {
  const reading = new Reading(store, signal)
  const { documents, runs, place } = await readRows(reading, query)
  const holders = await reading.holders(runs)
  const { now, wall } = reading.moment
  return {
    now: Math.max(now, ...documents.map(({ committedAt }) => committedAt)),
    wall,
    repositories: documents.flatMap(({ repository }) => repository ?? []),
    runs,
    holders,
    place,
  }
}

interface Rows {
  readonly documents: readonly DomainDocument[]
  readonly runs: readonly RunRow[]
  readonly place: Place | undefined
}

async function readRows(reading: Reading, query: Query): Promise<Rows> {
  switch (query.kind) {
    case 'runs': {
      const documents = await reading.documents(query.runs.map(({ repository }) => repository))
      return { documents, runs: await reading.runs(query.runs, documents), place: undefined }
    }
    case 'holder': {
      const prefix = reading.keys.held(query.holder)
      const held = await reading.all(prefix, endOf(prefix), { keysOnly: true })
      const found = held.map((kv) => runAt(keyOf(kv), prefix.length))
      const documents = await reading.documents(found.map(({ repository }) => repository))
      const packed = documents.flatMap(({ rows }) => rows.filter(({ holder }) => holder === query.holder))
      const refs = found.flatMap(({ repository, run }) => (run === undefined ? [] : { repository, run }))
      return { documents, runs: [...packed, ...(await reading.runs(refs, []))], place: undefined }
    }
    case 'repositories':
      return { documents: await readRepositories(reading, query), runs: [], place: undefined }
    case 'repository':
      return readRepository(reading, query)
  }
}

/** Domains that are watched and have no repository are passed over. */
async function readRepositories(
  reading: Reading,
  { after, first }: Query & { kind: 'repositories' },
): Promise<readonly DomainDocument[]> {
  const { keys } = reading
  const found: DomainDocument[] = []
  const end = endOf(keys.all('domain'))
  let from = after === '' ? keys.all('domain') : `${keys.domain(after)}\0`
  for (;;) {
    const wanted = Math.min(first - found.length, PAGE)
    const [answer] = await reading.ask([range(from, end, { limit: Math.max(wanted, 1) })])
    const kvs = answer?.kvs ?? []
    for (const document of kvs.map(documentOf))
      if (document.repository !== undefined && found.length < first) found.push(document)
    const last = kvs.at(-1)
    if (last === undefined || answer?.more !== true || found.length >= first) return found
    from = `${keyOf(last)}\0`
  }
}

async function readRepository(reading: Reading, query: Query & { kind: 'repository' }): Promise<Rows> {
  const { keys } = reading
  const { repository: key, run } = query
  const [document] = await reading.documents([key])
  const repository = document?.repository
  if (document === undefined || repository === undefined) return { documents: [], runs: [], place: undefined }
  const prefix = keys.slot(key, '')
  const slotKeys = await reading.all(prefix, endOf(prefix), { keysOnly: true, limit: query.slots })
  const slots = await reading.runs(
    slotKeys.map((kv) => ({ repository: key, run: keyOf(kv).slice(prefix.length) as RunKey })),
    [document],
  )
  const waiting = await readWaiting(reading, key, document, query.waiting)
  const runs = [...[...slots].sort((a, b) => a.token - b.token), ...waiting]
  if (run === undefined) return { documents: [document], runs, place: undefined }
  const [asked] = await reading.runs([{ repository: key, run }], [document])
  if (asked === undefined) return { documents: [document], runs, place: undefined }
  if (!runs.some((row) => row.run === run)) runs.push(asked)
  const place = asked.phase === 'waiting' ? await readPlace(reading, document, asked) : undefined
  return { documents: [document], runs, place }
}

/** The first entries in queue order, parked ones among them. */
async function readWaiting(
  reading: Reading,
  key: RepositoryKey,
  { levels, rows: packed, dueFrom }: DomainDocument,
  wanted: number,
): Promise<readonly RunRow[]> {
  if (wanted === 0) return []
  const queue = new Queue(reading.keys, key, levels, wanted)
  for (;;) {
    const operations = queue.ranges()
    if (operations.length === 0) break
    queue.hear(await reading.ask(operations))
  }
  const rows = [...packed.filter(({ phase }) => phase === 'waiting'), ...queue.rows]
  if (dueFrom !== null) {
    const prefix = reading.keys.dues(key)
    const due = await reading.all(prefix, endOf(prefix), { keysOnly: true })
    // A time and a slash stand before the run.
    const refs = due.map((kv) => ({ repository: key, run: keyOf(kv).slice(prefix.length + 17) as RunKey }))
    rows.push(...(await reading.runs(refs, [])).filter(({ phase }) => phase === 'waiting'))
  }
  return rows.sort(queueOrder).slice(0, wanted)
}

async function readPlace(
  reading: Reading,
  { levels, rows }: DomainDocument,
  row: RunRow,
): Promise<Place | undefined> {
  let before = rows.filter((other) => isEntry(other) && queueOrder(other, row) < 0).length
  for (const { low, high, count, first } of levels) {
    if (before >= COUNTED_PLACES || high < row.priority) break
    if (low > row.priority) {
      before += count
      continue
    }
    const isOne = high === low
    const from = reading.keys.entry(row.repository, high, isOne ? first : undefined)
    const to = reading.keys.entry(row.repository, row.priority, row.sequence)
    const [answer] = await reading.ask([range(from, to, { limit: COUNTED_PLACES - before, keysOnly: true })])
    before += answer?.kvs.length ?? 0
  }
  return before < COUNTED_PLACES ? before + 1 : { atLeast: COUNTED_PLACES + 1 }
}

/** Reads of one revision. */
class Reading {
  readonly #store: Store
  readonly #signal: AbortSignal | undefined
  #moment: Moment | undefined
  #revision: number | undefined

  constructor(store: Store, signal: AbortSignal | undefined) {
    this.#store = store
    this.#signal = signal
  }

  get keys(): Store['keys'] {
    return this.#store.keys
  }

  get moment(): Moment {
    return this.#moment as Moment
  }

  /** Asks in as many transactions as it takes. */
  async ask(operations: readonly IRequestOp[]): Promise<readonly IRangeResponse[]> {
    const most = this.#store.maxOperations - TIME_OPERATIONS - 1
    const answers: IRangeResponse[] = []
    for (let at = 0; at < operations.length || (at === 0 && this.#moment === undefined); at += most)
      answers.push(...(await this.#askOnce(operations.slice(at, at + most))))
    return answers
  }

  /** All keys of a range, page after page, or the first ones. */
  async all(from: string, to: string, options: RangeOptions): Promise<readonly IKeyValue[]> {
    const { limit = Number.MAX_SAFE_INTEGER } = options
    const kvs: IKeyValue[] = []
    let next = from
    while (kvs.length < limit) {
      const [answer] = await this.ask([
        range(next, to, { ...options, limit: Math.min(PAGE, limit - kvs.length) }),
      ])
      kvs.push(...(answer?.kvs ?? []))
      const last = kvs.at(-1)
      if (answer?.more !== true || last === undefined) break
      next = `${keyOf(last)}\0`
    }
    return kvs
  }

  async documents(repositories: readonly RepositoryKey[]): Promise<readonly DomainDocument[]> {
    const answers = await this.ask([...new Set(repositories)].map((key) => get(this.keys.domain(key))))
    return answers.flatMap(({ kvs }) => kvs.map(documentOf))
  }

  /** The rows of runs: those that are in the documents, and those with keys of their own. */
  async runs(refs: readonly RunRef[], documents: readonly DomainDocument[]): Promise<readonly RunRow[]> {
    const wanted = new Set(refs.map(({ repository, run }) => this.keys.run(repository, run)))
    const packed = documents.flatMap(({ rows }) =>
      rows.filter(({ repository, run }) => wanted.delete(this.keys.run(repository, run))),
    )
    const answers = await this.ask([...wanted].map((key) => get(key)))
    return [...packed, ...answers.flatMap(({ kvs }) => kvs.map(runOf))]
  }

  /** The holders of rows; of the dead there is nothing left. */
  async holders(rows: readonly RunRow[]): Promise<readonly HolderRow[]> {
    const ids = [...new Set(rows.flatMap(({ holder }) => holder ?? []))] as HolderId[]
    const answers = await this.ask(ids.map((holder) => get(this.keys.alive(holder))))
    return ids.flatMap((holder, at) => holderOf(holder, answers[at]?.kvs[0]) ?? [])
  }

  async #askOnce(operations: readonly IRequestOp[]): Promise<readonly IRangeResponse[]> {
    const how = { signal: this.#signal, repeatable: true }
    if (this.#revision === undefined) {
      const read = await readNow(this.#store, operations, how)
      this.#moment = read.moment
      this.#revision = read.revision
      return read.answers
    }
    const revision = this.#revision
    const pinned = operations.map(({ request_range }) => ({
      request_range: { ...request_range, revision },
    }))
    const { responses } = await this.#store.transport.txn({ success: pinned }, how)
    return responses.map(rangeOf)
  }
}
