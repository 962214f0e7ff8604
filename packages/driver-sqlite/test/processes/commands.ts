import { randomUUID } from 'node:crypto'
import {
  type AcquireCommand,
  type HolderId,
  type ReleaseCommand,
  type RunKey,
  type RunRow,
  ticketSource,
} from '@slotkeeper/core/driver'

const newTicket = ticketSource(`child-${randomUUID()}`)

export function acquireCommand(holder: HolderId, run: RunKey, limit: number): AcquireCommand {
  return {
    kind: 'acquire',
    repository: 'acme/api',
    run,
    ticket: newTicket(),
    mode: 'wait',
    proposal: { limit },
    runUid: undefined,
    holder,
    durable: false,
    priority: 0,
    maxHoldMs: 0,
    claimTimeoutMs: 60_000,
    leaseTtlMs: 1_800_000,
    meta: undefined,
    validUntil: 0,
    outcome: undefined,
  }
}

export function releaseCommand({ repository, run, token }: RunRow): ReleaseCommand {
  return {
    kind: 'release',
    repository,
    run,
    token,
    ticket: newTicket(),
    state: 'completed',
    force: undefined,
    outcome: undefined,
  }
}
