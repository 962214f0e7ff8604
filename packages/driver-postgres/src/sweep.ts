import type { Sweep } from '@slotkeeper/core/driver'
import { ask, type Keeping } from './holders.ts'
import type { Statement } from './statements.ts'

/** A swept domain is left to whoever claimed it for this long. */
const CLAIMED_MS = 1000
/** The most rows that one sweep forgets, of records and of holders. */
const MOST_RECORDS = 500
const MOST_HOLDERS = 100

/** Claims domains that need a decision, and forgets what nobody needs any more. Each part is a transaction of its own, and no part waits. */
export async function sweepStore(
  keeping: Keeping,
  budget: number,
  signal: AbortSignal | undefined,
): Promise<Sweep> {
  const { sql } = keeping
  const part = (statement: Statement, ...values: number[]) =>
    ask(keeping, [{ statement, values: values.map(String) }], signal)
  await part(sql.buryOverdue, MOST_HOLDERS)
  const claimed = await part(sql.claimDomains, budget, CLAIMED_MS)
  const records = await part(sql.forgetRecords, MOST_RECORDS)
  const holders = await part(sql.forgetHolders, MOST_HOLDERS)
  await part(sql.forgetHints, MOST_RECORDS)
  return {
    domains: claimed.map(([domain]) => domain as string),
    more: claimed.length === budget || records.length === MOST_RECORDS || holders.length === MOST_HOLDERS,
  }
}
