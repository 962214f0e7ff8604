import { randomUUID } from 'node:crypto'
import {
  type AcquireCommand,
  type Command,
  createDecide,
  type DomainBatch,
  type Driver,
  type HolderId,
  ticketSource,
} from '@slotkeeper/core/driver'
import { expect, test } from 'vitest'
import { endpoints, newPrefix } from './support/servers.ts'
import { driverOf } from './support/store.ts'

const decide = createDecide({ recordTtlMs: 86_400_000 })
const newTicket = ticketSource(`test-${randomUUID()}`)
/** More than one load looks at. */
const HOLDERS = 120

function acquire(holder: HolderId): AcquireCommand {
  return {
    kind: 'acquire',
    repository: 'acme/api',
    run: `acme/${holder}`,
    ticket: newTicket(),
    mode: 'wait',
    proposal: { limit: 0 },
    ...{ runUid: undefined, meta: undefined, outcome: undefined },
    ...{ holder, durable: false, priority: 0, maxHoldMs: 0, validUntil: 0 },
    ...{ claimTimeoutMs: 60_000, leaseTtlMs: 60_000 },
  }
}

async function decideFor(driver: Driver, commands: readonly Command[]): Promise<void> {
  for (let left = commands; ; ) {
    const batch: DomainBatch = {
      ...{ domain: 'acme/api', by: undefined, commands: left, events: [] },
      ...{ decision: undefined, error: undefined, done() {} },
    }
    await driver.transact([batch], decide)
    if (batch.error !== undefined) throw batch.error
    left = left.slice(batch.decision?.decided ?? 0)
    if (left.length === 0) return
  }
}

test('of a repository with very many holders the rows of a dead one are settled once a sweep has named it', async () => {
  const driver = driverOf({ endpoints: endpoints(), prefix: newPrefix() })
  await driver.open({ schema: 'migrate' })
  const holders = Array.from({ length: HOLDERS }, (_, n) => `holder-${n}` as HolderId)
  await Promise.all(holders.map(async (holder) => driver.openHolder(holder, 60_000)))
  await decideFor(driver, holders.map(acquire))
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
