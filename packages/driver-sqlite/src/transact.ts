import {
  type Decide,
  type Decision,
  type DomainBatch,
  type Manifest,
  RecordedSection,
  type SlotkeeperError,
  type StoreEvent,
} from '@slotkeeper/core/driver'
import { applyChanges } from './apply-changes.ts'
import type { Bell } from './bell.ts'
import { loadFacts } from './facts.ts'
import { isBusy } from './failure.ts'
import type { QuietSection } from './quiet-section.ts'
import type { Store } from './store.ts'

const NO_EVENTS: readonly StoreEvent[] = Object.freeze([])

/** Commits behind the newest one whose events are kept; deleted in steps. */
const KEPT_EVENTS = 4096
const PRUNE_STEP = 256

/** What decisions need of their driver. */
export interface Deciding {
  readonly store: Store
  readonly manifest: Manifest
  readonly quiet: QuietSection
  /** Written beside events, so that this driver does not hear its own. */
  readonly origin: string
  readonly fail: (error: unknown) => SlotkeeperError
  /** Wakes other processes. */
  readonly bell: Bell
}

interface Decided {
  readonly decision: Decision
  readonly events: readonly StoreEvent[]
}

/**
 * Decides all domains in one commit. When something fails, it is undone and every domain is decided in a commit of its own, so that
 * only the one that failed has its error.
 * @throws what SQLite says of a locked file, when nothing was tried
 */
export function transactNow(deciding: Deciding, batches: readonly DomainBatch[], decide: Decide): void {
  try {
    commit(deciding, batches, decide)
  } catch (error) {
    if (isBusy(error)) throw error
    if (batches.length === 1) fail(deciding, batches[0] as DomainBatch, error)
    else for (const batch of batches) commitAlone(deciding, batch, decide)
  }
}

function commitAlone(deciding: Deciding, batch: DomainBatch, decide: Decide): void {
  try {
    commit(deciding, [batch], decide)
  } catch (error) {
    fail(deciding, batch, error)
  }
}

function fail(deciding: Deciding, batch: DomainBatch, error: unknown): void {
  batch.error = deciding.fail(error)
}

function commit(deciding: Deciding, batches: readonly DomainBatch[], decide: Decide): void {
  const { store } = deciding
  const decided: Decided[] = []
  const told: StoreEvent[] = []
  store.write(() => {
    for (const batch of batches) decided.push(decideOne(deciding, batch, decide, told))
    if (told.length > 0) writeEvents(deciding, told)
  })
  // Only what is committed is told.
  for (let i = 0; i < batches.length; i++) {
    const batch = batches[i] as DomainBatch
    const { decision, events } = decided[i] as Decided
    batch.decision = decision
    batch.events = events
  }
  if (told.length > 0) deciding.bell.ring()
}

function decideOne(deciding: Deciding, batch: DomainBatch, decide: Decide, told: StoreEvent[]): Decided {
  const { store, manifest } = deciding
  const { quiet } = deciding
  if (quiet.begin(batch)) {
    const decision = decide(quiet, batch.commands)
    if (quiet.save()) return { decision, events: NO_EVENTS }
  }
  const { budget, clockLagMs } = manifest
  const facts = loadFacts(store, batch, budget)
  const section = new RecordedSection(facts, { budget, by: batch.by, clockLagMs })
  const decision = decide(section, batch.commands)
  const changes = section.changes()
  if (!changes.empty) applyChanges(store, batch.domain, facts.now, changes)
  if (changes.notify) for (const event of changes.events) told.push(event)
  return { decision, events: changes.events }
}

function writeEvents({ store, origin }: Deciding, events: readonly StoreEvent[]): void {
  const id = Number(store.sql.addEvents.run(origin, JSON.stringify(events)).lastInsertRowid)
  if (id % PRUNE_STEP === 0) store.sql.pruneEvents.run(id - KEPT_EVENTS)
}
