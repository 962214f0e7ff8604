import { SlotkeeperError } from '@slotkeeper/core/driver'
import type { ICompare, IKeyValue, ITxnRequest } from 'etcd3'
import { isFloor } from './apply-changes.ts'
import { type Call, type Decided, fail, finish } from './call.ts'
import { FEWEST_ROWS } from './decide-domains.ts'
import { isRefusal, isTooLarge, toFailure } from './failure.ts'
import { bytesOf, get, nested } from './operations.ts'
import { packed, rangeOf } from './requests.ts'
import { type Moment, momentOperations, noteRevision, readOf, type Store, sinceNow } from './store.ts'

/** Commits; `supposed` is the moment that nobody has looked at. */
export async function commitAll(
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
  const since = sinceNow(store)
  try {
    const parts = group.map(({ compare, operations: success, loaded }) => ({
      compare,
      success,
      failure: [get(store.keys.domain(loaded.domain))],
    }))
    const [part] = parts
    const moment = momentOperations(store)
    const request: ITxnRequest =
      isOne && part !== undefined
        ? {
            compare: [...compare, ...part.compare],
            success: [...before, ...part.success],
            failure: [...moment, ...part.failure],
          }
        : { compare, success: [...before, ...parts.map(nested)], failure: moment }
    const response = await transport.txn(request, { signal })
    if (response.succeeded && isRaised) time.tell(supposed.now, since.at)
    const revision = Number(response.header.revision)
    noteRevision(store, since, revision)
    // Only the moment was not as supposed; now it is known.
    if (!response.succeeded && !isOne) readOf(store, response, since)
    for (const [at, one] of group.entries()) {
      const own = isOne ? response : response.responses[before.length + at]?.response_txn
      if (response.succeeded && own?.succeeded === true) {
        remember(store, one, revision)
        call.shared.committed(one.loaded.domain, revision, store.clock.monotonic() - since.at)
        finish(one.work, one.decision, one.changes)
        continue
      }
      again.push(one.work)
      if (!response.succeeded && !isOne) continue
      const [found] = isOne ? readOf(store, response, since).answers : (own?.responses ?? []).map(rangeOf)
      lost(call, one, found?.kvs[0])
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

/**
 * The conditions of one did not hold, and the transaction has read its document instead: on that it is decided again, or, where it is the one
 * that was supposed, on what a load brings.
 */
function lost({ store, shared }: Call, { loaded }: Decided, kv: IKeyValue | undefined): void {
  const { domain, revision } = loaded
  const found = Number(kv?.mod_revision ?? 0)
  // It is gone, or the store is another one, restored from a backup, or something else is not as supposed.
  if (found <= revision) store.memory.forget(domain)
  if (kv === undefined || found === revision) return
  store.memory.hear(domain, kv)
  if (revision > 0) shared.met(domain)
}

/** The server takes no commit of this size: a smaller one is tried, if it can be smaller. */
function shrink({ limits, again }: Call, one: Decided, error: unknown): void {
  const rows = one.changes.runs.length
  if (rows === 1 || limits.budget <= FEWEST_ROWS) return fail(one.work, tooLarge(one, error))
  limits.budget = Math.max(FEWEST_ROWS, Math.floor(Math.min(limits.budget, rows) / 4))
  one.work.asked = undefined
  again.push(one.work)
}

function remember({ memory }: Store, { loaded, document }: Decided, revision: number): void {
  if (document === undefined) memory.forget(loaded.domain)
  else memory.learn(loaded.domain, { document, revision })
}

/** Names the run that takes most of the room, where it is about runs. */
function tooLarge({ work, operations, changes }: Decided, cause: unknown): SlotkeeperError {
  const bytes = operations.reduce((sum, operation) => sum + bytesOf(operation), 0)
  const sizeOf = ({ row }: (typeof changes.runs)[0]) => JSON.stringify(row).length
  const [largest] = [...changes.runs].sort((a, b) => sizeOf(b) - sizeOf(a))
  const whose = largest === undefined ? '' : `run ${largest.row.run}, which has most of `
  return new SlotkeeperError(
    'SLOTKEEPER_INVALID_ARGUMENT',
    `${work.batch.domain} cannot be committed with ${whose}its ${bytes} bytes: the server takes no request of that size. Give runs less meta, or raise its --max-request-bytes.`,
    { cause },
  )
}
