import type {
  Limit,
  Manager,
  QueueEntry,
  RepositoryInfo,
  RepositoryKey,
  RepositoryState,
  SlotInfo,
} from '@slotkeeper/core'

/** What `status --json` prints: the shape is part of the command's interface, and fields are only ever added. */
export interface StatusReport {
  /** The store, as `--store` takes it. */
  readonly store: string
  /** When it was read. */
  readonly at: string
  readonly repositories: readonly RepositoryReport[]
}

/** One repository. Times are in ISO 8601. */
export interface RepositoryReport {
  readonly repository: RepositoryKey
  readonly state: RepositoryState
  readonly limit: Limit
  /** Slots taken, by phase. */
  readonly running: number
  readonly reserved: number
  readonly orphaned: number
  /** Runs that wait. */
  readonly waiting: number
  /** Oldest first. Only with `--repository`. */
  readonly slots?: readonly SlotReport[]
  /** The first 1,000, in the order in which they go. Only with `--repository`. */
  readonly queue?: readonly QueueReport[]
}

/** One slot. */
export interface SlotReport {
  readonly run: string
  readonly phase: SlotInfo['phase']
  /** `null` while unlimited. */
  readonly slotNumber: number | null
  readonly holder: string | null
  readonly durable: boolean
  readonly leaseId: string
  /** A whole number as text, since JSON's readers round large ones. */
  readonly fencingToken: string
  readonly since: string
  readonly expires: string
  readonly meta: Readonly<Record<string, string>>
}

/** One waiting run. */
export interface QueueReport {
  /** From 1 = next. `null` while it is passed over. */
  readonly place: number | null
  readonly run: string
  readonly priority: number
  readonly holder: string | null
  readonly durable: boolean
  readonly since: string
  readonly parkedUntil: string | null
  readonly meta: Readonly<Record<string, string>>
}

const PAGE = 1000

/** Reads what there is: every repository, or one with its slots and its queue. */
export async function readStatus(
  manager: Manager,
  store: string,
  repository: RepositoryKey | undefined,
): Promise<StatusReport> {
  const repositories =
    repository === undefined ? await readAll(manager) : [await readOne(manager, repository)]
  return { store, at: new Date().toISOString(), repositories }
}

async function readAll(manager: Manager): Promise<RepositoryReport[]> {
  const reports: RepositoryReport[] = []
  for (let after = ''; ; ) {
    const page = await manager.getRepositories({ first: PAGE, after })
    reports.push(...page.map(counts))
    const last = page.at(-1)
    if (page.length < PAGE || last === undefined) return reports
    after = last.repository
  }
}

async function readOne(manager: Manager, repository: RepositoryKey): Promise<RepositoryReport> {
  const info = await manager.getCurrentSlots(repository)
  const slots = await manager.getRunningPipelineRuns(repository)
  const queue = await manager.getQueuedPipelineRuns(repository, { first: PAGE })
  return { ...counts(info), slots: slots.map(slotReport), queue: queueReports(queue) }
}

function counts({
  repository,
  state,
  limit,
  running,
  reserved,
  orphaned,
  waiting,
}: RepositoryInfo): RepositoryReport {
  return { repository, state, limit, running, reserved, orphaned, waiting }
}

function slotReport(slot: SlotInfo): SlotReport {
  return {
    run: slot.run,
    phase: slot.phase,
    slotNumber: slot.slotNumber ?? null,
    holder: slot.holder ?? null,
    durable: slot.durable,
    leaseId: slot.leaseId,
    fencingToken: String(slot.fencingToken),
    since: slot.acquiredAt.toISOString(),
    expires: slot.expiresAt.toISOString(),
    meta: { ...slot.meta },
  }
}

function queueReports(queue: readonly QueueEntry[]): readonly QueueReport[] {
  let place = 0
  return queue.map((entry) => ({
    place: entry.parkedUntil === undefined ? ++place : null,
    run: entry.run,
    priority: entry.priority,
    holder: entry.holder ?? null,
    durable: entry.durable,
    since: entry.enqueuedAt.toISOString(),
    parkedUntil: entry.parkedUntil?.toISOString() ?? null,
    meta: { ...entry.meta },
  }))
}
