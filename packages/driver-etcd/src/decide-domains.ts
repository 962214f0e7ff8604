import { type Changes, type Decision, RecordedSection } from '@slotkeeper/core/driver'
import type { IRequestOp } from 'etcd3'
import { commitOf } from './apply-changes.ts'
import { type Asked, type Call, type Decided, fail, finish, type Progress, type Work } from './call.ts'
import { toFailure } from './failure.ts'
import { commandsOf, loading, requestOf } from './load-facts.ts'
import type { Loaded } from './loaded.ts'
import { recall } from './recall.ts'
import { packed } from './requests.ts'
import { type Moment, type Read, readNow, TIME_OPERATIONS } from './store.ts'

/** A commit of so many rows is not made smaller, for the sake of its bytes, or of its operations where the server takes many of them. */
export const FEWEST_ROWS = 16

/** A decision on what is remembered; nothing where that does not do, or where the decision changes nothing. */
export function decideAtOnce(call: Call, work: Work, moment: Moment): Decided | undefined {
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

/** A load that begins when its turn comes. */
export function begin(work: Work): Progress {
  return {
    work,
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
    progress.loading = loading(call.store, request, moment)
  }
  return progress.loading.next(progress.answers)
}

/** Runs the loads, those of all domains together in each round, and decides on what they bring. */
export async function load(call: Call, begun: readonly Progress[]): Promise<Decided[]> {
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
  const { commands } = askedBy(call, work)
  // A row takes six operations at the most and may bring a holder along; the others are the domain's own.
  const fewest = Math.min(FEWEST_ROWS, Math.floor((maxOperations - 16) / 7))
  for (let { budget } = limits; ; budget = Math.max(fewest, Math.floor(budget / 2))) {
    const section = new RecordedSection(loaded.facts(), {
      budget,
      by: batch.by,
      clockLagMs: manifest.clockLagMs,
    })
    const decision = decide(section, commands)
    const changes = section.changes()
    const commit = commitOf(store.keys, loaded, changes, { by: batch.by, origin, maxOperations })
    if (commit === undefined) return { decision, changes }
    const { operations, compare } = commit
    // The clock's, the floor's, and one for the transaction around it.
    const width = Math.max(compare.length, operations.length) + TIME_OPERATIONS + 1
    if (width > maxOperations && budget > fewest) continue
    return { commit: { ...commit, work, decision, changes, loaded, width } }
  }
}
