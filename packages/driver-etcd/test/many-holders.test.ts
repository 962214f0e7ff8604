import type { HolderId } from '@slotkeeper/core/driver'
import { expect, test } from 'vitest'
import { acquire, decideFor } from './support/commands.ts'
import { endpoints, newPrefix } from './support/servers.ts'
import { driverOf } from './support/store.ts'

/** More than one load looks at. */
const HOLDERS = 120

test('of a repository with very many holders the rows of a dead one are settled once a sweep has named it', async () => {
  const driver = driverOf({ endpoints: endpoints(), prefix: newPrefix() })
  await driver.open({ schema: 'migrate' })
  const holders = Array.from({ length: HOLDERS }, (_, n) => `holder-${n}` as HolderId)
  await Promise.all(holders.map(async (holder) => driver.openHolder(holder, 60_000)))
  await decideFor(
    driver,
    holders.map((holder) => acquire(holder)),
  )
  for (const holder of [holders[7], holders[100]] as HolderId[]) {
    await driver.closeHolder(holder)
    // Whoever swept before has it for a second.
    let found: readonly string[] = []
    while (!found.includes('acme/api')) found = (await driver.sweep(8)).domains
    await decideFor(driver, [])
    const { runs } = await driver.read({ kind: 'holder', holder })
    expect(runs).toEqual([])
  }
  const { repositories } = await driver.read({ kind: 'repositories', after: '', first: 1 })
  expect(repositories[0]?.live).toBe(HOLDERS - 2)
})
