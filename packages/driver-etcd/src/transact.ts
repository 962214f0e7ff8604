import {
  type Changes,
  type Decide,
  type Decision,
  type DomainBatch,
  type HolderId,
  type Manifest,
  RecordedSection,
  type SectionRequest,
  SlotkeeperError,
  StoreError,
} from '@slotkeeper/core/driver'
import type { ICompare, IRangeResponse, IRequestOp, ITxnResponse } from 'etcd3'
import { type Commit, commitOf, isFloor } from './apply-changes.ts'
import { isRefusal, isTooLarge, toFailure } from './failure.ts'
import { commandsOf, firstRound, type Loading, loading, requestOf } from './load-facts.ts'
import type { Loaded } from './loaded.ts'
import { bytesOf, nested } from './operations.ts'
import { recall } from './recall.ts'
import { packed, rangeOf } from './requests.ts'
import type { SharedDomains } from './shared-domains.ts'
import {
  type Moment,
  momentOperations,
  type Read,
  readNow,
  readOf,
  type Store,
  supposedMoment,
  TIME_OPERATIONS,
} from './store.ts'

/** A domain that others change all the time is given up after so long, in ms; the caller asks again. */
const CONTENDED_MS = 8000
/** After this many conflicts in a row, a short pause. */
const PATIENT = 6
/** Of the holders that a domain is known to have, so many are looked at with its document. */
const MOST_OTHERS = 8
/** A commit of so many rows is not made smaller, for the sake of its operations or its bytes. */
const FEWEST_ROWS = 16

/** What `transact` needs of its driver. */
export interface Deciding {
  readonly store: Store
  readonly manifest: Manifest
  /** How many rows a commit may change: those of the manifest, or fewer where the server did not take a commit for its bytes. */
  readonly limits: { budget: number }
  /** Names this driver to those who watch. */
  readonly origin: string
  readonly shared: SharedDomains
}

/** A batch on its way. */
interface Work {
  readonly batch: DomainBatch
  tries: number
  /** The commands that this attempt decides, and what it needs for that. */
  asked: Asked | undefined
  /** What the last commit found instead of what it had supposed: the next load begins with it. */
  found: Progress | undefined
}

interface Asked {
  readonly commands: DomainBatch['commands']
  readonly request: SectionRequest
}

/** A load that has not come to its end, and what it asks next or was answered. */
interface Progress {
  readonly work: Work
  /** Holders that it looks at besides. */
  readonly others: readonly HolderId[]
  loading: Loading<Loaded> | undefined
  operations: readonly IRequestOp[]
  answers: readonly IRangeResponse[]
  revision: string | undefined
  read: Read | undefined
}

/** What was decided for a domain and is to be committed. */
interface Decided extends Commit {
  readonly work: Work
  readonly decision: Decision
  readonly changes: Changes
  readonly loaded: Loaded
  /** The load that the commit begins if its conditions do not hold. */
  readonly otherwise: Progress
  /** The most operations of its branches and conditions. */
  readonly width: number
}

/** All that one call decides. */
interface Call extends Deciding {
  readonly decide: Decide
  readonly signal: AbortSignal | undefined
  /** Those that met somebody else. */
  readonly again: Work[]
}

/**
 * Decides each batch: on what is remembered or else loaded, commits on the condition that it was so, and begins anew where it was not. What is
 * remembered is never answered from alone: a decision that changes nothing is made again on what is loaded.
 */
export async function transact(
  deciding: Deciding,
  batches: readonly DomainBatch[],
  decide: Decide,
  signal: AbortSignal | undefined,
): Promise<void> {
  const works = batches.map((batch): Work => ({ batch, tries: 0, asked: undefined, found: undefined }))
  const going: Work[] = []
  const all: Promise<void>[] = []
  const go = (open: Work[]) => settle({ ...deciding, decide, signal, again: [] }, open)
  for (const work of works) {
    const turn = deciding.shared.turn(work.batch.domain)
    if (turn === undefined) going.push(work)
    else all.push(turn.then(() => go([work])))
  }
  await Promise.all([go(going), ...all])
}

/** Attempts until each of them is decided or has failed. */
async function settle(call: Call, works: Work[]): Promise<void> {
  const { clock } = call.store
  const until = clock.monotonic() + CONTENDED_MS
  let open = works
  while (open.length > 0) {
    const late = clock.monotonic() > until
    const again: Work[] = []
    for (const work of open)
      if (work.tries > 0 && late) fail(work, contended(work.batch.domain))
      else again.push(work)
    const most = Math.max(0, ...again.map(({ tries }) => tries))
    if (most > PATIENT) {
      // What was found is old by then.
      for (const work of again) work.found = undefined
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 2 * most))
    }
    call.again.length = 0
    await attempt(call, again)
    open = [...call.again]
    for (const work of open) work.tries++
  }
}

/** One attempt for all of them. */
async function attempt(call: Call, works: readonly Work[]): Promise<void> {
  const recalled: Decided[] = []
  const open: Progress[] = []
  const moment = supposedMoment(call.store)
  for (const work of works) {
    const decided = work.found === undefined ? decideAtOnce(call, work, moment) : undefined
    if (decided === undefined) open.push(work.found ?? begin(work, []))
    else recalled.push(decided)
    work.found = undefined
  }
  await Promise.all([
    commitAll(call, recalled, moment),
    load(call, open).then((loaded) => commitAll(call, loaded, undefined)),
  ])
}

/** A decision on what is remembered; nothing where that does not do, or where the decision changes nothing. */
function decideAtOnce(call: Call, work: Work, moment: Moment): Decided | undefined {
  if (work.batch.commands.length === 0) return undefined
  try {
    const loaded = recall(call.store, askedBy(call, work).request, moment)
    if (loaded === undefined) return undefined
    const made = decideOn(call, work, loaded)
    return 'commit' in made ? made.commit : undefined
  } catch {
    // It may have been wrong to begin with: what is loaded tells.
    return undefined
  }
}

function askedBy({ limits, store }: Call, work: Work): Asked {
  if (work.asked === undefined) {
    const { budget } = limits
    const commands = commandsOf(work.batch, budget, store)
    work.asked = { commands, request: requestOf(work.batch.domain, commands, budget) }
  }
  return work.asked
}

function begin(work: Work, others: readonly HolderId[]): Progress {
  return {
    work,
    others,
    loading: undefined,
    operations: [],
    answers: [],
    revision: undefined,
    read: undefined,
  }
}

/** The next step of a load, with the answers to the last one, if there was one. */
function advance(call: Call, progress: Progress): IteratorResult<readonly IRequestOp[], Loaded> {
  if (progress.loading === undefined) {
    const moment = () => (progress.read as Read).moment
    const { request } = askedBy(call, progress.work)
    progress.loading = loading(call.store, request, moment, progress.others)
    const first = progress.loading.next([])
    if (progress.read === undefined) return first
  }
  return progress.loading.next(progress.answers)
}

/** Runs the loads, those of all domains together in each round, and decides on what they bring. */
async function load(call: Call, begun: readonly Progress[]): Promise<Decided[]> {
  const { store, signal } = call
  const decided: Decided[] = []
  let open: Progress[] = []
  const go = (progress: Progress) => {
    const { work } = progress
    try {
      const next = advance(call, progress)
      if (next.done === true) {
        const made = decideOn(call, work, next.value)
        if ('commit' in made) decided.push(made.commit)
        else finish(work, made.decision, made.changes)
        return
      }
      progress.operations = next.value
      open.push(progress)
    } catch (error) {
      fail(work, toFailure(error, `${work.batch.domain} cannot be decided`))
    }
  }
  for (const progress of begun) go(progress)
  while (open.length > 0) {
    const groups = packed(
      open,
      ({ operations }) => operations.length,
      ({ operations }) => operations + TIME_OPERATIONS + 1 <= store.maxOperations,
    )
    open = []
    await Promise.all(
      groups.map(async (group) => {
        try {
          const read = await readNow(
            store,
            group.flatMap(({ operations }) => operations),
            { signal },
          )
          let at = 0
          for (const progress of group) {
            const own = at
            at += progress.operations.length
            if (hear(progress, read, own)) go(progress)
            else call.again.push(progress.work)
          }
        } catch (error) {
          for (const { work } of group) fail(work, toFailure(error, `${work.batch.domain} cannot be loaded`))
        }
      }),
    )
  }
  return decided
}

/** Takes down what a load was answered; false where the domain has changed since its last round. */
function hear(progress: Progress, read: Read, at: number): boolean {
  const answers = read.answers.slice(at, at + progress.operations.length)
  const revision = answers[0]?.kvs[0]?.mod_revision ?? '0'
  progress.answers = answers
  progress.read = read
  progress.revision ??= revision
  return progress.revision === revision
}

type Made = { readonly commit: Decided } | { readonly decision: Decision; readonly changes: Changes }

/** Decides, with as many changes as one transaction takes. */
function decideOn(call: Call, work: Work, loaded: Loaded): Made {
  const { store, manifest, limits, origin, decide } = call
  const { batch } = work
  const { maxOperations } = store
  const { commands, request } = askedBy(call, work)
  const others = loaded.document.holders.slice(0, MOST_OTHERS).map(([holder]) => holder)
  const otherwise = begin(work, others)
  otherwise.operations = firstRound(store.keys, request, others)
  for (let { budget } = limits; ; budget = Math.max(FEWEST_ROWS, Math.floor(budget / 2))) {
    const section = new RecordedSection(loaded.facts(), {
      budget,
      by: batch.by,
      clockLagMs: manifest.clockLagMs,
    })
    const decision = decide(section, commands)
    const changes = section.changes()
    const commit = commitOf(store.keys, loaded, changes, { origin, maxOperations })
    if (commit === undefined) return { decision, changes }
    const { operations, compare } = commit
    // The clock's, the floor's, and one for the transaction around it.
    const width =
      Math.max(compare.length, operations.length, otherwise.operations.length) + TIME_OPERATIONS + 1
    if (width > maxOperations && budget > FEWEST_ROWS) continue
    return { commit: { ...commit, work, decision, changes, loaded, otherwise, width } }
  }
}

/** Commits; `supposed` is the moment that nobody has looked at. */
async function commitAll(
  call: Call,
  decided: readonly Decided[],
  supposed: Moment | undefined,
): Promise<void> {
  const { maxOperations } = call.store
  const groups = packed(
    decided.filter(({ isAlone }) => !isAlone),
    ({ width }) => width,
    ({ parcels, largest }) => parcels + largest <= maxOperations,
  )
  for (const one of decided) if (one.isAlone) groups.push([one])
  await Promise.all(groups.map((group) => commit(call, group, supposed)))
}

async function commit(call: Call, group: readonly Decided[], supposed: Moment | undefined): Promise<void> {
  const { store, signal, again } = call
  const { transport, time } = store
  const [alone] = group
  const isOne = group.length === 1 && alone !== undefined
  const compare: ICompare[] =
    supposed === undefined ? [] : [time.isTimely(supposed.now), isFloor(store.keys, supposed)]
  const isRaised = supposed !== undefined && time.isBehind(supposed.now)
  const before = isRaised ? [time.raise(supposed.now)] : []
  const since = store.clock.monotonic()
  try {
    const response: ITxnResponse = isOne
      ? await transport.txn(
          {
            compare: [...compare, ...alone.compare],
            success: [...before, ...alone.operations],
            failure: [...momentOperations(store), ...alone.otherwise.operations],
          },
          { signal },
        )
      : await transport.txn(
          {
            compare,
            success: [
              ...before,
              ...group.map((one) =>
                nested({
                  compare: [...one.compare],
                  success: [...one.operations],
                  failure: [...one.otherwise.operations],
                }),
              ),
            ],
            failure: momentOperations(store),
          },
          { signal },
        )
    if (response.succeeded && isRaised) time.tell(supposed.now)
    const revision = Number(response.header.revision)
    // Only the moment was not as supposed; now it is known.
    if (!response.succeeded && !isOne) readOf(store, response)
    for (const [at, one] of group.entries()) {
      const own = isOne ? response : response.responses[before.length + at]?.response_txn
      if (response.succeeded && own?.succeeded === true) {
        remember(store, one, revision)
        call.shared.committed(one.loaded.domain, revision, store.clock.monotonic() - since)
        finish(one.work, one.decision, one.changes)
        continue
      }
      again.push(one.work)
      if (!response.succeeded && !isOne) continue
      const { domain } = one.loaded
      store.memory.forget(domain)
      const read = isOne ? readOf(store, response) : foundIn(store, own as ITxnResponse, revision)
      // Where there is nothing, a new token depends on the floor, which nobody has read.
      if (!isOne && read.answers[0]?.kvs.length === 0) continue
      const kv = read.answers[0]?.kvs[0]
      if (kv !== undefined) {
        store.memory.hear(domain, kv)
        if (one.loaded.revision > 0 && Number(kv.mod_revision) !== one.loaded.revision)
          call.shared.met(domain)
      }
      hear(one.otherwise, read, 0)
      one.work.found = one.otherwise
    }
  } catch (error) {
    // What one of them is refused for must not fail the others.
    if (!isOne && isRefusal(error)) {
      await Promise.all(group.map((one) => commit(call, [one], supposed)))
      return
    }
    if (alone !== undefined && isTooLarge(error)) return shrink(call, alone, error)
    for (const { work, loaded } of group) {
      // Nobody knows whether it was carried out.
      store.memory.forget(loaded.domain)
      fail(work, toFailure(error, `${work.batch.domain} cannot be committed`))
    }
  }
}

/** The server takes no commit of this size: a smaller one is tried, if it can be smaller. */
function shrink({ limits, again }: Call, one: Decided, error: unknown): void {
  const rows = one.changes.runs.length
  if (rows === 1 || limits.budget <= FEWEST_ROWS) return fail(one.work, tooLarge(one, error))
  limits.budget = Math.max(FEWEST_ROWS, Math.floor(Math.min(limits.budget, rows) / 4))
  one.work.asked = undefined
  again.push(one.work)
}

/** What the branch of one domain found; the moment is that of the transaction around it. */
function foundIn(store: Store, { responses }: ITxnResponse, revision: number): Read {
  return { moment: supposedMoment(store), revision, answers: responses.map(rangeOf) }
}

function remember({ memory }: Store, { loaded, document }: Decided, revision: number): void {
  if (document === undefined) memory.forget(loaded.domain)
  else memory.learn(loaded.domain, { document, revision })
}

function finish({ batch }: Work, decision: Decision, changes: Changes): void {
  batch.decision = decision
  batch.events = changes.events
  batch.done()
}

function fail({ batch }: Work, error: SlotkeeperError): void {
  batch.error = error
  batch.done()
}

function contended(domain: string): StoreError {
  return new StoreError(
    'SLOTKEEPER_STORE_BUSY',
    `Others changed ${domain} at each of the attempts of ${CONTENDED_MS} ms to decide for it. Ask again.`,
  )
}

/** Names the run that takes most of the room. */
function tooLarge({ work, operations, changes }: Decided, cause: unknown): SlotkeeperError {
  const bytes = operations.reduce((sum, operation) => sum + bytesOf(operation), 0)
  const sizes = changes.runs.map(({ row }) => ({ run: row.run, bytes: JSON.stringify(row).length }))
  const largest = sizes.reduce(
    (most, each) => (each.bytes > most.bytes ? each : most),
    sizes[0] as (typeof sizes)[0],
  )
  return new SlotkeeperError(
    'SLOTKEEPER_INVALID_ARGUMENT',
    `${work.batch.domain} cannot be committed with run ${largest.run}, which has most of its ${bytes} bytes: the server takes no request of that size. Give the run less meta, or raise the server’s --max-request-bytes.`,
    { cause },
  )
}
