import { randomUUID } from 'node:crypto'
import {
  type AcquireCommand,
  type Command,
  createDecide,
  type DomainBatch,
  type Driver,
  type HolderId,
  type RunKey,
  ticketSource,
} from '@slotkeeper/core/driver'

const decide = createDecide({ recordTtlMs: 86_400_000 })
const newTicket = ticketSource(`test-${randomUUID()}`)

/** A worker's command for a slot of acme/api, whose run is called as its holder unless something else is said; 0 = unlimited. */
export function acquire(
  holder: HolderId,
  {
    run = `acme/${holder}`,
    limit = 0,
    priority = 0,
  }: { readonly run?: RunKey; readonly limit?: number; readonly priority?: number } = {},
): AcquireCommand {
  return {
    kind: 'acquire',
    repository: 'acme/api',
    run,
    ticket: newTicket(),
    mode: 'wait',
    proposal: { limit },
    ...{ runUid: undefined, meta: undefined, outcome: undefined },
    ...{ holder, durable: false, priority, maxHoldMs: 0, validUntil: 0 },
    ...{ claimTimeoutMs: 60_000, leaseTtlMs: 60_000 },
  }
}

/** Has a driver decide commands for acme/api, as many at once as it takes. */
export async function decideFor(driver: Driver, commands: readonly Command[]): Promise<void> {
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
