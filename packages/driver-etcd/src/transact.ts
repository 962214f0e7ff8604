import { type Decide, type DomainBatch, StoreError } from '@slotkeeper/core/driver'
import { type Call, type Decided, type Deciding, fail, type Progress, type Work } from './call.ts'
import { commitAll } from './commit-domains.ts'
import { begin, decideAtOnce, load } from './decide-domains.ts'
import { supposedMoment } from './store.ts'

/** A domain that others change all the time is given up after so long, in ms; the caller asks again. */
const CONTENDED_MS = 8000
/** So many domains are decided before the event loop has a turn, in which they leave. */
const TOGETHER = 64
/** After this many conflicts in a row, a short pause. */
const PATIENT = 6

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
  const works = batches.map((batch): Work => ({ batch, tries: 0, asked: undefined }))
  const going: Work[] = []
  const all: Promise<void>[] = []
  const go = (open: Work[]) => settle({ ...deciding, decide, signal, again: [] }, open)
  for (const work of works) {
    const turn = deciding.shared.turn(work.batch.domain)
    if (turn === undefined) going.push(work)
    else
      all.push(
        turn.then(() => {
          work.batch.join?.()
          return go([work])
        }),
      )
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
    if (most > PATIENT) await new Promise((resolve) => setTimeout(resolve, Math.random() * 2 * most))
    call.again.length = 0
    await attempt(call, again)
    open = [...call.again]
    for (const work of open) work.tries++
  }
}

/**
 * One attempt for all of them, some after the others: what is decided at a moment has to be on its way soon after, or others have moved the
 * time meanwhile.
 */
async function attempt(call: Call, works: readonly Work[]): Promise<void> {
  const all: Promise<void>[] = []
  for (let from = 0; from < works.length; from += TOGETHER) {
    if (from > 0) await new Promise((resolve) => setImmediate(resolve))
    all.push(...attemptSome(call, works.slice(from, from + TOGETHER)))
  }
  await Promise.all(all)
}

function attemptSome(call: Call, works: readonly Work[]): readonly Promise<void>[] {
  const recalled: Decided[] = []
  const open: Progress[] = []
  const moment = supposedMoment(call.store)
  for (const work of works) {
    // After an attempt nobody supposes that there is nothing. What it found may be forgotten again, where there are very many.
    const isToLoad = work.tries > 0 && call.store.memory.get(work.batch.domain) === undefined
    const decided = isToLoad ? undefined : decideAtOnce(call, work, moment)
    if (decided === undefined) open.push(begin(work))
    else recalled.push(decided)
  }
  return [
    commitAll(call, recalled, moment),
    load(call, open).then((loaded) => commitAll(call, loaded, undefined)),
  ]
}

function contended(domain: string): StoreError {
  return new StoreError(
    'SLOTKEEPER_STORE_BUSY',
    `Others changed ${domain} at each of the attempts of ${CONTENDED_MS} ms to decide for it. Ask again.`,
  )
}
