import { Manager, type RunKey, repository } from '@slotkeeper/core'
import { expect, test } from 'vitest'
import { OwnServer } from './support/own-server.ts'
import { sql } from './support/servers.ts'
import { driverOf } from './support/store.ts'

const PAIRS = 50
const repositories = Array.from({ length: PAIRS }, (_, n) =>
  repository(`acme/repo-${n}`, { concurrencyLimit: 4 }),
)

/** What the server counts while `work` goes on: calls of the two statements that decide at once, and of anything else. What a connection is met with is left out. */
async function callsOf(url: string, work: () => Promise<void>) {
  await sql(url, 'SELECT pg_stat_statements_reset()')
  await work()
  const rows = await sql(
    url,
    `SELECT query, calls::int FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'
       AND query NOT LIKE '%set_config(s.name%' AND query NOT LIKE 'SELECT pg_catalog.pg_backend_pid%'`,
  )
  const calls = { taking: 0, givingBack: 0, others: 0 }
  for (const { query, calls: times } of rows)
    if (/\btaken AS/.test(String(query))) calls.taking += Number(times)
    else if (/\bgiven AS/.test(String(query))) calls.givingBack += Number(times)
    else calls.others += Number(times)
  return calls
}

test('a pair where nobody waits is two calls for the server; of many pairs at once, most share theirs', async () => {
  const server = await OwnServer.start({ shared_preload_libraries: 'pg_stat_statements' })
  await sql(server.url, 'CREATE EXTENSION pg_stat_statements')
  const driver = driverOf({ connectionString: server.url })
  // No heartbeat comes in between.
  await using manager = new Manager({ driver, holderTtlMs: 600_000 })
  let made = 0
  const pair = async (of: (typeof repositories)[0]) => {
    const run: RunKey = `acme/run-${made++}`
    const slot = await manager.waitForSlot({ repository: of, run })
    await slot.release()
  }
  const inTurn = async () => {
    for (const of of repositories) await pair(of)
  }
  await inTurn() // they are made
  expect(await callsOf(server.url, inTurn)).toEqual({ taking: PAIRS, givingBack: PAIRS, others: 0 })
  const together = await callsOf(server.url, async () => {
    await Promise.all(repositories.map(pair))
  })
  expect(together.taking + together.givingBack + together.others).toBeLessThan(PAIRS / 5)
}, 60_000)
