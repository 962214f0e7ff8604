import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Decide,
  type Decision,
  InternalError,
  isForOthers,
  isSlotkeeperError,
  type Logger,
  type Manifest,
  RecordedSection,
  type SlotkeeperError,
  StoreError,
  type StoreEvent,
} from '@slotkeeper/core/driver'
import { applying, type Recorded } from './apply-changes.ts'
import { decideAtOnce } from './at-once.ts'
import type { Connections, Wire } from './connections.ts'
import { FlightError, type Step } from './flight.ts'
import type { Work } from './lanes.ts'
import { type Loaded, loadFacts } from './load-facts.ts'
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
  readonly logger: Logger
  coded(error: unknown, doing: string): SlotkeeperError
  /** Ends a failed transaction, so that its connection can be used again. Answers the failure. */
  rolledBack(wire: Wire, error: unknown): Promise<unknown>
  /** Domains in which the next decision will have more to do than its commands: somebody waits or watches. */
  readonly busy: Set<string>
  /** How long records are kept, by the policy that says so, once it has said so. */
  readonly recordTtlMs: WeakMap<Decide, number>
  /** A commit may have taken place of which nobody told the watchers. */
  mayHaveMissed(): void
}

/** How many busy domains are remembered. */
const MOST_BUSY = 10_000
/** How often one domain is tried again over deadlocks and conflicts before its caller is told. */
const MOST_TRIES = 10

/** Deadlock, serialization failure, a holder that died meanwhile, a pooler in between: nothing was written, and trying again may help. */
const AGAIN = new Set(['40P01', '40001', '22012', '26000', '42P05'])
/** The process stood still, and the server ended the transaction. */
const LOCK_NOT_AVAILABLE = '55P03'

interface Decided extends Recorded {
  readonly work: Work
  readonly decision: Decision
  readonly events: readonly StoreEvent[]
  /** Those of which other processes want to hear. */
  readonly told: readonly StoreEvent[]
}

/** Decides each domain's commands: what is simple at once, the rest the long way. */
export async function transact(
  deciding: Deciding,
  works: readonly Work[],
  signal: AbortSignal,
): Promise<void> {
  let left: readonly Work[]
  try {
    left = await decideAtOnce(deciding, works, signal)
  } catch (error) {
    // If the server refused, nothing was written, or was just before it went away: then the commands find what they led to.
    if (!(error instanceof FlightError) || error.state === undefined) return fail(deciding, works, error)
    left = works
  }
  if (left.length > 0) await decideTogether(deciding, left, signal)
}

/** Several domains share a transaction, but for those that somebody else is just deciding, until one of them fails. */
async function decideTogether(
  deciding: Deciding,
  works: readonly Work[],
  signal: AbortSignal,
): Promise<void> {
  let alone = works
  if (works.length > 1)
    try {
      alone = await attempt(deciding, works, signal)
    } catch (error) {
      // Only PostgreSQL's own refusal says that nothing was written and that the others may do better alone.
      if (!(error instanceof FlightError) || error.state === undefined) return fail(deciding, works, error)
    }
  await Promise.all(alone.map((work) => decideAlone(deciding, work, signal)))
}

async function decideAlone(deciding: Deciding, work: Work, signal: AbortSignal): Promise<void> {
  for (let tries = 1; !work.isOver; tries++)
    try {
      await attempt(deciding, [work], signal)
      return
    } catch (error) {
      if (tries >= MOST_TRIES || !(error instanceof FlightError) || !AGAIN.has(error.state ?? ''))
        return fail(deciding, [work], error)
      await sleep(Math.random() * 2 ** tries)
    }
}

function fail(deciding: Deciding, works: readonly Work[], error: unknown): void {
  if (!(error instanceof FlightError) || error.state === undefined) deciding.mayHaveMissed()
  for (const work of works) {
    const { domain } = work.batch
    work.finish(pinned(deciding, domain, error) ?? deciding.coded(error, `${domain} cannot be decided`))
  }
}

function pinned({ sql }: Deciding, domain: string, error: unknown): StoreError | undefined {
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

/**
 * Locks, loads, decides and commits in two round trips, three where something is overdue. One domain is waited for; of several, those that
 * are locked are left.
 * @returns those that were left
 * @throws FlightError when the server refused; then nothing is committed
 */
async function attempt(
  deciding: Deciding,
  works: readonly Work[],
  signal: AbortSignal,
): Promise<readonly Work[]> {
  const { connections, sql } = deciding
  const batches = works.map(({ batch }) => batch)
  const decided: Decided[] = []
  const left: Work[] = []
  await connections.use(async (wire) => {
    let loaded: Loaded
    try {
      loaded = await loadFacts(wire, sql, deciding.lockSeed, batches, deciding.manifest.budget)
    } catch (error) {
      throw await deciding.rolledBack(wire, error)
    }
    for (const [at, found] of loaded.facts.entries()) {
      const work = works[at] as Work
      if (found === undefined) {
        left.push(work)
        continue
      }
      try {
        decided.push(decideOne(deciding, work, found))
      } catch (error) {
        // Whoever asked has an answer, and the others go on.
        work.finish(undecided(work.batch.domain, error))
      }
    }
    await commit(deciding, wire, decided, loaded.isPolled)
  }, signal)
  for (const { work, decision, events } of decided) {
    if (work.isOver) {
      deciding.mayHaveMissed()
      continue
    }
    work.batch.decision = decision
    work.batch.events = events
    work.finish()
  }
  return left
}

function undecided(domain: string, error: unknown): SlotkeeperError {
  if (isSlotkeeperError(error)) return error
  return new InternalError(`${domain} cannot be decided: ${(error as Error).message}`, error)
}

function decideOne(
  { manifest, busy, recordTtlMs }: Deciding,
  work: Work,
  facts: ConstructorParameters<typeof RecordedSection>[0],
): Decided {
  const { budget, clockLagMs } = manifest
  const { batch, decide } = work
  const section = new RecordedSection(facts, { budget, by: batch.by, clockLagMs })
  const decision = decide(section, batch.commands)
  const changes = section.changes()
  const { domain, now } = facts
  const { repositories } = section
  // What was a record before is due from when it became one.
  const ended = changes.runs.find(
    ({ row, before }) =>
      before !== undefined &&
      before.phase !== 'record' &&
      row.phase === 'record' &&
      row.ending === 'released',
  )
  if (ended?.row.dueAt !== undefined) recordTtlMs.set(decide, ended.row.dueAt - now)
  const isQuiet = section.guard.watchedUntil <= now && !section.guard.backlog
  if (!isQuiet || repositories.some((row) => row.waiting > row.parked)) {
    if (busy.size >= MOST_BUSY) busy.clear()
    busy.add(domain)
  } else busy.delete(domain)
  const { events } = changes
  const told = events.filter((event) => isForOthers(section, event))
  return { work, domain, now, decision, changes, events, told, repositories, isQuiet }
}

async function commit(
  deciding: Deciding,
  wire: Wire,
  decided: readonly Decided[],
  isPolled: boolean,
): Promise<void> {
  const { sql } = deciding
  const changes = applying(sql, decided, deciding.history)
  // Nothing was changed: no commit, which would cost a write of the locks that were taken.
  if (changes.length === 0) {
    await wire.run([{ statement: sql.rollback }])
    return
  }
  const told = decided.flatMap((one) => one.told)
  const telling: Step[] = []
  if (told.length > 0) {
    const payloads = JSON.stringify(payloadsOf(deciding.origin, told))
    telling.push({ statement: sql.notify, values: [deciding.channel, payloads] })
    if (isPolled) changes.push({ statement: sql.addHints, values: [payloads] })
  }
  try {
    // What is told goes after the commit in the same flight: telling inside of it would make all commits of the server wait for one another.
    await wire.run([...changes, { statement: sql.commit }, ...telling])
  } catch (error) {
    if (error instanceof FlightError && error.completed > changes.length) {
      await tellAgain(deciding, telling)
      return
    }
    throw await deciding.rolledBack(wire, error)
  }
}

/** The commit stands; those who wait for its word would otherwise find out for themselves only later. */
async function tellAgain(deciding: Deciding, telling: readonly Step[]): Promise<void> {
  try {
    await deciding.connections.send(telling)
  } catch (error) {
    // Most often the server went away just then: whoever listened has lost its connection too, and looks for itself when it is back.
    deciding.logger.warn(
      { event: 'hint-lost', error },
      'what was committed could not be told: others find it out when they look',
    )
  }
}

/** Ends the failed transaction, so that the connection can be used again. Answers the failure. */
export async function rollBack(sql: Statements, wire: Wire, error: unknown): Promise<unknown> {
  if (error instanceof FlightError && error.state !== undefined) await wire.run([{ statement: sql.rollback }])
  return error
}
