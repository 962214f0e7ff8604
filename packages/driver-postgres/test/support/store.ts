import { randomUUID } from 'node:crypto'
import {
  type AcquireCommand,
  type Command,
  createDecide,
  type Decide,
  type DomainBatch,
  type Driver,
  type HolderId,
  type ReleaseCommand,
  type RepositoryKey,
  type RunKey,
  type RunRow,
  ticketSource,
} from '@slotkeeper/core/driver'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import { type PostgresDriverOptions, postgresDriver } from '../../src/index.ts'

export const decide = createDecide({ recordTtlMs: 86_400_000 })
export const REPO: RepositoryKey = 'acme/api'
const newTicket = ticketSource(`test-${randomUUID()}`)

/** A driver that is not open yet, closed after the test. */
export function driverOf(options: PostgresDriverOptions): Driver {
  const driver = postgresDriver(options)
  onTestFinished(async () => {
    await driver.close()
  })
  return driver
}

export async function openDriver(options: PostgresDriverOptions): Promise<Driver> {
  const driver = driverOf(options)
  await driver.open({ schema: 'migrate' })
  return driver
}

export async function openHolder(driver: Driver, ttlMs = 30_000): Promise<HolderId> {
  const holder = `test-${randomUUID()}` as HolderId
  await driver.openHolder(holder, ttlMs)
  return holder
}

export function acquire(run: RunKey, holder: HolderId, more: Partial<AcquireCommand> = {}): AcquireCommand {
  return {
    kind: 'acquire',
    repository: REPO,
    run,
    ticket: newTicket(),
    mode: 'wait',
    proposal: { limit: 1 },
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
    ...more,
  }
}

export function release(row: RunRow): ReleaseCommand {
  const { repository, run, token } = row
  return {
    kind: 'release',
    ...{ repository, run, token },
    ticket: newTicket(),
    state: 'completed',
    force: undefined,
    outcome: undefined,
  }
}

export function batchOf(commands: readonly Command[], by?: HolderId): DomainBatch {
  const domain = commands[0]?.repository ?? REPO
  return { domain, by, commands, decision: undefined, error: undefined, events: [], done() {} }
}

/** Decides the commands together and throws what their domain failed with. */
export async function ask(
  driver: Driver,
  by: HolderId | undefined,
  commands: readonly Command[],
  policy: Decide = decide,
): Promise<DomainBatch> {
  const batch = batchOf(commands, by)
  await driver.transact([batch], policy)
  if (batch.error !== undefined) throw batch.error
  return batch
}

/** Acquires what must be granted. */
export async function grantOf(
  driver: Driver,
  run: RunKey,
  holder: HolderId,
  more: Partial<AcquireCommand> = {},
): Promise<RunRow> {
  const command = acquire(run, holder, more)
  await ask(driver, holder, [command])
  if (command.outcome?.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(command.outcome)}`)
  return command.outcome.row
}

/** A program of the user's own, connected until the test is over. */
export async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString })
  client.on('error', () => undefined) // tests end connections
  await client.connect()
  onTestFinished(() => client.end().catch(() => undefined))
  return client
}
