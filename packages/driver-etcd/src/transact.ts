import {
  type Changes,
  type Decide,
  type Decision,
  type DomainBatch,
  type Manifest,
  RecordedSection,
  SlotkeeperError,
  StoreError,
} from '@slotkeeper/core/driver'
import type { IRangeResponse, IRequestOp, ITxnResponse } from 'etcd3'
import { type Commit, commitOf } from './apply-changes.ts'
import { isRefusal, isTooLarge, toFailure } from './failure.ts'
import { commandsOf, type Loaded, type Loading, loading } from './load-facts.ts'
import { bytesOf, nested } from './operations.ts'
import { packed } from './requests.ts'
import { type Read, readNow, type Store, TIME_OPERATIONS } from './store.ts'

/** A domain that others change all the time is given up after so long, in ms; the caller asks again. */
const CONTENDED_MS = 8000
/** After this many conflicts in a row, a short pause. */
const PATIENT = 3
/** A commit of so many rows is not made smaller for the sake of its bytes. */
const FEWEST_ROWS = 16

/** What `transact` needs of its driver. */
export interface Deciding {
  readonly store: Store
  readonly manifest: Manifest
  /** How many rows a commit may change: those of the manifest, or fewer where the server did not take a commit for its bytes. */
  budget: number
  /** Names this driver to those who watch. */
  readonly origin: string
}

/** A batch on its way. */
interface Work {
  readonly batch: DomainBatch
  tries: number
}

/** A load that has not come to its end, and what it asks next. */
interface Progress {
  readonly work: Work
  readonly loading: Loading<Loaded>
  operations: readonly IRequestOp[]
  revision: string | undefined
  read: Read | undefined
}

/** What was decided for a domain and is to be committed. */
interface Decided extends Commit {
  readonly work: Work
  readonly decision: Decision
  readonly changes: Changes
}

/** Decides each batch: loads, decides and commits, and begins anew where somebody else was faster. */
export async function transact(
  deciding: Deciding,
  batches: readonly DomainBatch[],
  decide: Decide,
  signal: AbortSignal | undefined,
): Promise<void> {
  const until = deciding.store.clock.monotonic() + CONTENDED_MS
  let open: Work[] = batches.map((batch) => ({ batch, tries: 0 }))
  while (open.length > 0) {
    const late = deciding.store.clock.monotonic() > until
    const again: Work[] = []
    for (const work of open)
      if (work.tries > 0 && late) fail(work, contended(work.batch.domain))
      else again.push(work)
    const most = Math.max(0, ...again.map(({ tries }) => tries))
    if (most > PATIENT) await new Promise((resolve) => setTimeout(resolve, Math.random() * 2 * most))
    open = await attempt(deciding, again, decide, signal)
  }
}

/** One attempt for all of them. Answers those that met somebody else. */
async function attempt(
  deciding: Deciding,
  works: readonly Work[],
  decide: Decide,
  signal: AbortSignal | undefined,
): Promise<Work[]> {
  const again: Work[] = []
  const decided: Decided[] = []
  await load(deciding, works, signal, {
    loaded: (work, loaded, read) => {
      try {
        const one = decideOn(deciding, work, decide, loaded, read)
        if (one === undefined) return
        decided.push(one)
      } catch (error) {
        fail(work, toFailure(error, `${work.batch.domain} cannot be decided`))
      }
    },
    moved: (work) => again.push(work),
  })
  const { maxOperations } = deciding.store
  const groups = packed(
    decided.filter(({ isAlone }) => !isAlone),
    ({ parcels, largest }) => parcels + largest <= maxOperations,
  )
  for (const one of decided) if (one.isAlone) groups.push([one])
  await Promise.all(groups.map((group) => commit(deciding, group, again, signal)))
  for (const work of again) work.tries++
  return again
}

/** Runs the loads, those of all domains together in each round. */
async function load(
  { store, budget }: Deciding,
  works: readonly Work[],
  signal: AbortSignal | undefined,
  heard: {
    readonly loaded: (work: Work, loaded: Loaded, read: Read) => void
    readonly moved: (work: Work) => void
  },
): Promise<void> {
  const begin = (work: Work): Progress => {
    const progress: Progress = {
      work,
      loading: loading(
        store.keys,
        { ...work.batch, commands: commandsOf(work.batch, budget) },
        budget,
        () => (progress.read as Read).moment,
        store,
      ),
      ...{ operations: [], revision: undefined, read: undefined },
    }
    return progress
  }
  let open: Progress[] = []
  const go = (progress: Progress, answers: readonly IRangeResponse[]) => {
    try {
      const next = progress.loading.next(answers)
      if (next.done === true) return heard.loaded(progress.work, next.value, progress.read as Read)
      progress.operations = next.value
      open.push(progress)
    } catch (error) {
      fail(progress.work, toFailure(error, `${progress.work.batch.domain} cannot be loaded`))
    }
  }
  for (const work of works) go(begin(work), [])
  while (open.length > 0) {
    const groups = packed(open, ({ operations }) => operations + TIME_OPERATIONS + 1 <= store.maxOperations)
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
            const answers = read.answers.slice(at, at + progress.operations.length)
            at += progress.operations.length
            const revision = answers[0]?.kvs[0]?.mod_revision ?? '0'
            progress.read = read
            progress.revision ??= revision
            if (progress.revision === revision) go(progress, answers)
            else heard.moved(progress.work)
          }
        } catch (error) {
          for (const { work } of group) fail(work, toFailure(error, `${work.batch.domain} cannot be loaded`))
        }
      }),
    )
  }
}

/** Decides on what was loaded. Answers what is to be committed; where nothing is, the batch is done: all was of one moment. */
function decideOn(
  { store, manifest, budget, origin }: Deciding,
  work: Work,
  decide: Decide,
  loaded: Loaded,
  read: Read,
): Decided | undefined {
  const { batch } = work
  const { clockLagMs } = manifest
  const section = new RecordedSection(loaded.facts, { budget, by: batch.by, clockLagMs })
  const decision = decide(section, commandsOf(batch, budget))
  const changes = section.changes()
  const commit = commitOf(store.keys, loaded, changes, { origin, atRevision: read.revision })
  if (commit !== undefined) return { ...commit, work, decision, changes }
  finish(work, decision, changes)
  return undefined
}

async function commit(
  deciding: Deciding,
  group: readonly Decided[],
  again: Work[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const { transport } = deciding.store
  const [alone, ...others] = group
  const request = ({ compare, operations }: Commit) => ({
    compare: [...compare],
    success: [...operations] as IRequestOp[],
  })
  try {
    const response: ITxnResponse =
      alone !== undefined && others.length === 0
        ? await transport.txn(request(alone), { signal })
        : await transport.txn({ success: group.map((one) => nested(request(one))) }, { signal })
    for (const [at, one] of group.entries()) {
      const own = others.length === 0 ? response : response.responses[at]?.response_txn
      if (own?.succeeded === true) finish(one.work, one.decision, one.changes)
      else again.push(one.work)
    }
  } catch (error) {
    // What one of them is refused for must not fail the others.
    if (others.length > 0 && isRefusal(error)) {
      await Promise.all(group.map((one) => commit(deciding, [one], again, signal)))
      return
    }
    if (alone !== undefined && isTooLarge(error)) {
      if (alone.changes.runs.length === 1 || deciding.budget <= FEWEST_ROWS)
        return fail(alone.work, tooLarge(alone, error))
      deciding.budget = Math.max(
        FEWEST_ROWS,
        Math.floor(Math.min(deciding.budget, alone.changes.runs.length) / 4),
      )
      again.push(alone.work)
      return
    }
    for (const { work } of group) fail(work, toFailure(error, `${work.batch.domain} cannot be committed`))
  }
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
