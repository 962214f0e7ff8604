import type { Sweep } from '@slotkeeper/core/driver'
import type { Store } from './store.ts'

/** A swept domain is left to whoever claimed it for this long. */
const CLAIMED_MS = 1000
/** The most rows that one sweep forgets, of records and of holders. */
const MOST_RECORDS = 500
const MOST_HOLDERS = 100

/** Claims domains that need a decision, and forgets what nobody needs any more. Runs in a write transaction; writes only what it finds. */
export function sweepStore(store: Store, budget: number): Sweep {
  const { sql, mirror } = store
  const now = store.now()
  const limit = budget + 1
  // The questions below are about the tables.
  if (mirror.recent.firstDue <= now || mirror.anyGone(now)) mirror.recent.settleAll()
  const found = new Set<string>()
  for (const query of [sql.sweepDue, sql.sweepAbandoned, sql.sweepBacklog, sql.sweepRemoved])
    for (const [domain] of query.all({ now, limit })) found.add(domain as string)
  const domains = [...found].slice(0, budget)
  for (const domain of domains) sql.claimDomain.run(domain, now + CLAIMED_MS)

  const records = sql.oldRecords.all(now, MOST_RECORDS)
  for (const [run, repository] of records) sql.dropRun.run(run, repository)
  const buried = sql.buryOverdue.run(now).changes
  const holders = sql.purgeHolders.run(MOST_HOLDERS).changes
  // Holders tell the next boot how far store time had got.
  if (holders > 0) sql.noteTime.run(now)
  if (buried + holders > 0) mirror.forgetHolders()
  for (const domain of domains) mirror.forgetGuard(domain)
  return { domains, more: found.size > budget || records.length === MOST_RECORDS || holders === MOST_HOLDERS }
}
