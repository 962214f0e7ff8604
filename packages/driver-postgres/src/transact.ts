import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Decide,
  type Decision,
  type DomainBatch,
  type Manifest,
  RecordedSection,
  type SlotkeeperError,
  StoreError,
  type StoreEvent,
} from '@slotkeeper/core/driver'
import { applying, type Recorded } from './apply-changes.ts'
import type { Connections, Wire } from './connections.ts'
import { FlightError, type Step } from './flight.ts'
import { loading } from './load-facts.ts'
import { payloadsOf } from './payloads.ts'
import type { Statements } from './statements.ts'

/** What decisions need of their driver. */
export interface Deciding {
  readonly connections: Connections
  readonly sql: Statements
  readonly manifest: Manifest
  /** Keeps the locks of this schema's domains apart from others. */
  readonly lockSeed: string
  readonly channel: string
  /** Told beside events, so that this driver does not hear its own. */
  readonly origin: string
  readonly history: boolean
  readonly lockTimeoutMs: number
  coded(error: unknown, doing: string): SlotkeeperError
  /** A commit may have taken place of which nobody told the watchers. */
  mayHaveMissed(): void
}

/** Domains in one transaction at most: each takes a lock in the server's table of locks, which has room for some thousands. */
const MOST_DOMAINS = 64
/** How long domains that are decided together wait for each other's locks, in ms; then each goes by itself. */
const SHARED_LOCK_MS = 50
/** A transaction whose process stands still is ended by the server after this, so that its locks hold up nobody for long. */
const IDLE_MS = 5000
/** How often one domain is tried again over deadlocks and conflicts before its caller is told. */
const MOST_TRIES = 10

/** Deadlock, serialization failure, a holder that died meanwhile, a pooler in between: nothing was written, and trying again may help. */
const AGAIN = new Set(['40P01', '40001', '22012', '26000', '42P05'])
/** The process stood still, and the server ended the transaction. */
const LOCK_NOT_AVAILABLE = '55P03'

interface Decided extends Recorded {
  readonly batch: DomainBatch
  readonly decision: Decision
  readonly events: readonly StoreEvent[]
}

/** Decides each domain's commands; several domains share a transaction until one of them fails. */
export async function transact(
  deciding: Deciding,
  batches: readonly DomainBatch[],
  decide: Decide,
  signal: AbortSignal | undefined,
): Promise<void> {
  const groups: DomainBatch[][] = []
  for (let at = 0; at < batches.length; at += MOST_DOMAINS) groups.push(batches.slice(at, at + MOST_DOMAINS))
  await Promise.all(groups.map((group) => decideGroup(deciding, group, decide, signal)))
}

async function decideGroup(
  deciding: Deciding,
  group: readonly DomainBatch[],
  decide: Decide,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (group.length > 1) {
    try {
      await attempt(deciding, group, decide, signal, SHARED_LOCK_MS)
      return
    } catch (error) {
      // Only PostgreSQL's own refusal says that nothing was written and that the others may do better alone.
      if (!(error instanceof FlightError) || error.state === undefined)
        return fail(deciding, group, error, signal)
    }
  }
  await Promise.all(group.map((batch) => decideAlone(deciding, batch, decide, signal)))
}

async function decideAlone(
  deciding: Deciding,
  batch: DomainBatch,
  decide: Decide,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let tries = 1; ; tries++)
    try {
      return await attempt(deciding, [batch], decide, signal, deciding.lockTimeoutMs)
    } catch (error) {
      const isOver = tries >= MOST_TRIES || signal?.aborted === true
      if (isOver || !(error instanceof FlightError) || !AGAIN.has(error.state ?? ''))
        return fail(deciding, [batch], error, signal)
      await sleep(Math.random() * 2 ** tries)
    }
}

function fail(
  deciding: Deciding,
  group: readonly DomainBatch[],
  error: unknown,
  signal: AbortSignal | undefined,
): void {
  if (!(error instanceof FlightError) || error.state === undefined) deciding.mayHaveMissed()
  for (const batch of group) {
    batch.error = pinned(deciding, batch, error) ?? deciding.coded(signal?.aborted ? signal.reason : error, `${batch.domain} cannot be decided`)
    batch.done()
  }
}

function pinned({ sql }: Deciding, { domain }: DomainBatch, error: unknown): StoreError | undefined {
  if (!(error instanceof FlightError) || error.state !== LOCK_NOT_AVAILABLE) return undefined
  return error.failed === sql.mustNotBePinned
    ? new StoreError(
        'SLOTKEEPER_STORE_BUSY',
        `A slot of ${domain} that was to change is kept by a transaction that asserted it. It is free to change when that transaction ends.`,
        error.cause,
      )
    : new StoreError(
        'SLOTKEEPER_STORE_BUSY',
        `${domain} is being decided by somebody else for longer than a decision may wait. Find out who keeps it locked (pg_locks).`,
        error.cause,
      )
}

/** Locks, loads, decides and commits in two round trips. Throws a FlightError when the server refused; then nothing is committed. */
async function attempt(
  deciding: Deciding,
  group: readonly DomainBatch[],
  decide: Decide,
  signal: AbortSignal | undefined,
  lockTimeoutMs: number,
): Promise<void> {
  const { connections, sql } = deciding
  await connections.use(async (wire) => {
    const { step, facts } = loading(sql, group, deciding.manifest.budget)
    let answers: Awaited<ReturnType<Wire['run']>>
    try {
      answers = await wire.run([
        { statement: sql.begin },
        { statement: sql.settings, values: [String(lockTimeoutMs), String(IDLE_MS)] },
        {
          statement: sql.lockDomains,
          values: [JSON.stringify(group.map(({ domain }) => domain)), deciding.lockSeed],
        },
        step,
      ])
    } catch (error) {
      throw await rolledBack(deciding, wire, error)
    }
    const decided: Decided[] = []
    for (const [at, found] of facts(answers[3]?.[0]?.[0] as string).entries()) {
      const batch = group[at] as DomainBatch
      try {
        decided.push(decideOne(deciding, batch, found, decide))
      } catch (error) {
        batch.error = deciding.coded(error, `${batch.domain} cannot be decided`)
      }
    }
    await commit(deciding, wire, decided)
    for (const { batch, decision, events } of decided) {
      batch.decision = decision
      batch.events = events
    }
  }, signal)
  for (const batch of group) batch.done()
}

function decideOne(
  { manifest }: Deciding,
  batch: DomainBatch,
  facts: ConstructorParameters<typeof RecordedSection>[0],
  decide: Decide,
): Decided {
  const { budget, clockLagMs } = manifest
  const section = new RecordedSection(facts, { budget, by: batch.by, clockLagMs })
  const decision = decide(section, batch.commands)
  const changes = section.changes()
  const { domain, now } = facts
  return { batch, domain, now, decision, changes, events: changes.events, repositories: section.repositories }
}

async function commit(deciding: Deciding, wire: Wire, decided: readonly Decided[]): Promise<void> {
  const { sql } = deciding
  const changes = applying(sql, decided, deciding.history)
  // Nothing was changed: no commit, which would cost a write of the locks that were taken.
  if (changes.length === 0) {
    await wire.run([{ statement: sql.rollback }])
    return
  }
  const told = decided.flatMap((one) => (one.changes.notify ? one.events : []))
  const telling: Step[] =
    told.length === 0
      ? []
      : [{ statement: sql.notify, values: [deciding.channel, JSON.stringify(payloadsOf(deciding.origin, told))] }]
  try {
    // What is told goes after the commit in the same flight: telling inside of it would make all commits of the server wait for one another.
    await wire.run([...changes, { statement: sql.commit }, ...telling])
  } catch (error) {
    if (error instanceof FlightError && error.completed > changes.length) {
      await tellAgain(deciding, telling)
      return
    }
    throw await rolledBack(deciding, wire, error)
  }
}

/** The commit stands; those who wait for its word would otherwise find out for themselves only later. */
async function tellAgain(deciding: Deciding, telling: readonly Step[]): Promise<void> {
  try {
    await deciding.connections.send(telling)
  } catch {
    // The server went away just then: whoever listened has lost its connection too, and looks for itself when it is back.
  }
}

/** Ends the failed transaction, so that the connection can be used again. Answers the failure. */
async function rolledBack({ sql }: Deciding, wire: Wire, error: unknown): Promise<unknown> {
  if (error instanceof FlightError && error.state !== undefined) await wire.run([{ statement: sql.rollback }])
  return error
}
