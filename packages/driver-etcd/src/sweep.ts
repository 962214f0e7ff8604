import type { HolderId, RunKey, Sweep } from '@slotkeeper/core/driver'
import type { IKeyValue, IRequestOp } from 'etcd3'
import { documentOf } from './document.ts'
import { endOf, holderAt, type KeySpace, runAt, timeKey } from './keys.ts'
import { absent, del, exists, get, isAbove, isBelow, keyOf, nested, put, range } from './operations.ts'
import { readNow, type Store, TIME_OPERATIONS } from './store.ts'

/** A swept domain is left to whoever claimed it for this long. */
const CLAIMED_MS = 1000
/** A claim that is over for so long is forgotten. */
const CLAIM_KEPT_MS = 10_000
/** The most that one sweep forgets, of each kind. */
const MOST_FORGOTTEN = 100
/** How many claims are tried in one transaction at most; each is a transaction inside of it. */
const CLAIMS_AT_ONCE = 64
const atOnce = ({ maxOperations }: Store) => Math.min(CLAIMS_AT_ONCE, Math.floor(maxOperations / 2))

/** Claims domains that need a decision, and forgets what nobody needs any more. */
export async function sweepStore(
  store: Store,
  budget: number,
  signal: AbortSignal | undefined,
): Promise<Sweep> {
  const { keys } = store
  const all = (kind: 'wake' | 'holder' | 'watched/holder' | 'old' | 'claim') => keys.all(kind)
  const now = (await readNow(store, [], { signal })).moment.now
  const { answers } = await readNow(
    store,
    [
      range(all('wake'), keys.wakeUntil(now), { limit: 4 * budget, keysOnly: true }),
      range(all('holder'), endOf(all('holder')), { keysOnly: true }),
      range(all('watched/holder'), endOf(all('watched/holder')), { keysOnly: true }),
      range(all('old'), keys.oldUntil(now), { limit: MOST_FORGOTTEN, keysOnly: true }),
      range(all('claim'), endOf(all('claim')), { limit: MOST_FORGOTTEN }),
    ],
    { signal },
  )
  const keysAt = (at: number) => answers[at]?.kvs.map(keyOf) ?? []
  const from = all('wake').length + timeKey(0).length + 1
  const living = new Set(keysAt(2).map((key) => holderAt(key.slice(all('watched/holder').length))))
  const dead = keysAt(1)
    .map((key) => holderAt(key.slice(all('holder').length)))
    .filter((holder) => !living.has(holder))

  store.dead.clear()
  for (const holder of dead) {
    store.dead.add(holder)
    store.living.note(holder, undefined)
  }
  const domains: string[] = []
  const claim = (found: readonly string[]) => claimSome(store, found, domains, { now, budget, signal })
  await claim(keysAt(0).map((key) => key.slice(from)))
  const ended: HolderId[] = []
  for (const holder of shuffled(dead))
    if (!(await claimOf(store, holder, claim, () => domains.length >= budget, signal))) ended.push(holder)

  const overdue = answers[4]?.kvs.filter(({ value }) => Number(value.toString()) < now - CLAIM_KEPT_MS) ?? []
  await forget(store, signal, [
    ...keysAt(3).map((key) => forgetOld(keys, key)),
    ...ended.slice(0, MOST_FORGOTTEN).map((holder) => del(keys.holder(holder))),
    ...overdue.map(({ key }) =>
      nested({
        compare: [isBelow(key.toString(), timeKey(now - CLAIM_KEPT_MS))],
        success: [del(key.toString())],
      }),
    ),
  ])
  return { domains, more: domains.length >= budget || keysAt(3).length >= MOST_FORGOTTEN }
}

/** Claims domains of a dead holder; answers whether it is filed under any still. */
async function claimOf(
  store: Store,
  holder: HolderId,
  claim: (domains: readonly string[]) => Promise<void>,
  isEnough: () => boolean,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { keys, maxOperations } = store
  const prefix = keys.held(holder)
  const page = maxOperations - TIME_OPERATIONS - 1
  let after = prefix
  for (;;) {
    if (isEnough()) return true
    const { answers } = await readNow(store, [range(after, endOf(prefix), { limit: page, keysOnly: true })], {
      signal,
    })
    const found = answers[0]?.kvs.map(keyOf) ?? []
    const last = found.at(-1)
    if (last === undefined) return after !== prefix
    const domains = [...new Set(found.map((key) => runAt(key, prefix.length).repository))]
    const documents = await readNow(
      store,
      domains.map((domain) => get(keys.domain(domain))),
      { signal },
    )
    const named = domains.filter((_, at) => isNamed(documents.answers[at]?.kvs[0], holder))
    // Nothing can be given to the dead any more, so where no row names it now none ever will.
    const idle = domains
      .filter((domain) => !named.includes(domain))
      .map((domain) => del(keys.holds(holder, domain)))
    await forget(store, signal, idle)
    await claim(named)
    if (answers[0]?.more !== true) return true
    after = `${last}\0`
  }
}

/** Whether a row of the domain names the holder, or may: whoever decides for a domain that cannot be read is told. */
function isNamed(kv: IKeyValue | undefined, holder: HolderId): boolean {
  if (kv === undefined) return false
  try {
    const { rows, holders } = documentOf(kv)
    return (
      rows.some((row) => row.holder === holder) ||
      holders.some(([other, filed]) => other === holder && filed > 0)
    )
  } catch {
    return true
  }
}

/** Claims those that nobody has, in another order for everybody, until there are enough. */
async function claimSome(
  store: Store,
  found: readonly string[],
  claimed: string[],
  {
    now,
    budget,
    signal,
  }: { readonly now: number; readonly budget: number; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { transport, keys, memory } = store
  const left = shuffled([...new Set(found)].filter((domain) => !claimed.includes(domain)))
  while (left.length > 0 && claimed.length < budget) {
    const some = left.splice(0, Math.min(atOnce(store), budget - claimed.length))
    const tries: IRequestOp[] = some.map((domain) =>
      nested({
        compare: [isAbove(keys.claim(domain), timeKey(now))],
        failure: [put(keys.claim(domain), timeKey(now + CLAIMED_MS))],
      }),
    )
    const { responses } = await transport.txn({ success: tries }, { signal })
    for (const [at, domain] of some.entries())
      if (responses[at]?.response_txn.succeeded === false) {
        claimed.push(domain)
        // What is to be settled there is found by those who look.
        memory.forget(domain)
      }
  }
}

/** Forgets what is filed under `old/`, unless it was filed elsewhere meanwhile. */
function forgetOld(keys: KeySpace, key: string): IRequestOp {
  const text = key.slice(keys.all('old').length + timeKey(0).length + 1)
  const rest = text.slice(text.indexOf('/') + 1)
  if (text.startsWith('run/')) {
    const { repository, run } = runAt(rest, 0)
    return nested({ compare: [exists(key)], success: [del(key), del(keys.run(repository, run as RunKey))] })
  }
  return nested({
    compare: [absent(keys.domain(rest))],
    success: [del(key), del(keys.event(rest))],
    failure: [del(key)],
  })
}

async function forget(
  store: Store,
  signal: AbortSignal | undefined,
  operations: readonly IRequestOp[],
): Promise<void> {
  const most = atOnce(store)
  for (let at = 0; at < operations.length; at += most)
    await store.transport.txn({ success: operations.slice(at, at + most) }, { signal })
}

function shuffled<T>(items: readonly T[]): T[] {
  const order = [...items]
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1))
    ;[order[at], order[other]] = [order[other] as T, order[at] as T]
  }
  return order
}
