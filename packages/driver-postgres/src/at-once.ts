import {
  type AcquireCommand,
  type Facts,
  type HolderId,
  InternalError,
  RecordedSection,
  type ReleaseCommand,
} from '@slotkeeper/core/driver'
import type { Step } from './flight.ts'
import type { Work } from './lanes.ts'
import { holderOf, type JsonRow, repositoryOf, runOf } from './rows.ts'
import type { Deciding } from './transact.ts'

/** What the server says of a domain that it has decided at once. */
interface Done {
  readonly domain: string
  readonly now: number
  readonly wall: number
  readonly floor: number
  /** The repository as it was. */
  readonly repository: JsonRow
  /** What the repository counts now. */
  readonly live: number
  readonly numbers: readonly number[]
  /** The holder of the slot. */
  readonly holder: JsonRow
  /** The slot as it was, where one was given back. */
  readonly run?: JsonRow
  /** What was granted. */
  readonly token?: number
  readonly sequence?: number
  readonly number?: number
}

interface Acquiring {
  readonly work: Work
  readonly command: AcquireCommand
}
interface Releasing {
  readonly work: Work
  readonly command: ReleaseCommand
}

/**
 * Decides the commonest two commands in one round trip, where there is nothing to decide: a slot under a limit with room while nobody
 * waits, and its return while nobody waits. Whether it is so, the server finds out under the lock of the domain; what is not so is left
 * for the long way. The answer is what the policy says to the facts that the server found, and has to be what the server did.
 * @returns the works that are left
 */
export async function decideAtOnce(
  deciding: Deciding,
  works: readonly Work[],
  signal: AbortSignal,
): Promise<Work[]> {
  const by = works.find(({ batch }) => batch.by !== undefined)?.batch.by
  const acquiring: Acquiring[] = []
  const releasing: Releasing[] = []
  for (const work of works) {
    const [command] = work.batch.commands
    if (command === undefined || !isSimple(deciding, work, by)) continue
    if (command.kind === 'acquire') acquiring.push({ work, command })
    // One policy says how long the records of all of them are kept.
    else if (command.kind === 'release' && (releasing[0]?.work ?? work).decide === work.decide)
      releasing.push({ work, command })
  }
  if (by === undefined || acquiring.length + releasing.length === 0) return [...works]
  const done = await fly(deciding, by, acquiring, releasing, signal)
  for (const { work } of [...acquiring, ...releasing]) {
    const found = done.get(work.batch.domain)
    if (found !== undefined) conclude(deciding, work, found, by)
  }
  return works.filter(({ batch, isOver }) => !isOver && !done.has(batch.domain))
}

/** Whether the server may be able to decide it at once; it is not told of everything that a command may say. */
function isSimple(deciding: Deciding, { batch, decide }: Work, by: HolderId | undefined): boolean {
  const [command] = batch.commands
  if (command === undefined || batch.commands.length > 1 || deciding.history) return false
  if (batch.by !== by || command.repository !== batch.domain || deciding.busy.has(batch.domain)) return false
  if (command.kind === 'release') return command.force === undefined && deciding.recordTtlMs.has(decide)
  return (
    command.kind === 'acquire' &&
    command.mode !== 'enqueue' &&
    command.holder === by &&
    command.audit === undefined &&
    command.proposal.limit !== null
  )
}

async function fly(
  deciding: Deciding,
  by: HolderId,
  acquiring: readonly Acquiring[],
  releasing: readonly Releasing[],
  signal: AbortSignal,
): Promise<Map<string, Done>> {
  const { sql, connections, lockSeed } = deciding
  const domains = [...acquiring, ...releasing].map(({ work }) => work.batch.domain)
  const steps: Step[] = [
    { statement: sql.begin },
    { statement: sql.tryLockDomains, values: [JSON.stringify(domains), lockSeed] },
  ]
  if (acquiring.length > 0)
    steps.push({ statement: sql.takeAtOnce, values: [JSON.stringify(acquiring.map(askedFor)), by] })
  if (releasing.length > 0) {
    const ttlMs = String(deciding.recordTtlMs.get((releasing[0] as Releasing).work.decide))
    steps.push({
      statement: sql.giveBackAtOnce,
      values: [JSON.stringify(releasing.map(givenBack)), by, ttlMs],
    })
  }
  const answers = await connections.use(async (wire) => {
    try {
      return await wire.begin([...steps, { statement: sql.commit }])
    } catch (error) {
      throw await deciding.rolledBack(wire, error)
    }
  }, signal)
  const done = new Map<string, Done>()
  for (const [row] of answers.slice(2, -1))
    for (const one of (JSON.parse(row?.[0] ?? 'null') ?? []) as Done[]) done.set(one.domain, one)
  return done
}

function askedFor({ command }: Acquiring): object {
  return {
    repository: command.repository,
    run: command.run,
    proposal: JSON.stringify(command.proposal),
    slot_limit: command.proposal.limit,
    valid_until: command.validUntil,
    run_uid: command.runUid,
    ticket: command.ticket,
    durable: command.durable,
    priority: command.priority,
    meta: command.meta === undefined ? undefined : JSON.stringify(command.meta),
    max_hold_ms: command.maxHoldMs,
    claim_timeout_ms: command.claimTimeoutMs,
    lease_ttl_ms: command.leaseTtlMs,
  }
}

function givenBack({ command }: Releasing): object {
  const { repository, run, token, ticket, state } = command
  return { repository, run, token, ticket, ended_as: state }
}

/** Has the policy decide what the server did, and answers with it. */
function conclude(deciding: Deciding, work: Work, done: Done, by: HolderId): void {
  const { batch, decide } = work
  const facts: Facts = {
    ...{ domain: batch.domain, now: done.now, wall: done.wall, tokenFloor: done.floor },
    guard: { watchedUntil: 0, backlog: false },
    repositories: [repositoryOf(done.repository)],
    runs: done.run === undefined ? [] : [runOf(done.run)],
    holders: [holderOf(done.holder)],
    ...{ overdue: [], overdueCut: false, heads: [], headsCut: false },
  }
  const { budget, clockLagMs } = deciding.manifest
  const section = new RecordedSection(facts, { budget, by, clockLagMs })
  const decision = decide(section, batch.commands)
  const { runs, repositories, events, notify } = section.changes()
  const row = runs[0]?.row
  const isSame =
    row !== undefined &&
    runs.length === 1 &&
    repositories[0]?.live === done.live &&
    String(repositories[0].numbers) === String(done.numbers) &&
    !notify &&
    (done.run !== undefined
      ? row.phase === 'record' && row.dueAt === done.now + (deciding.recordTtlMs.get(decide) as number)
      : row.phase === 'running' &&
        row.token === done.token &&
        row.sequence === done.sequence &&
        row.number === done.number)
  if (!isSame) {
    work.finish(
      new InternalError(
        `What was written at once for ${batch.domain} is not what the policy says. Please report it.`,
      ),
    )
    return
  }
  if (work.isOver) return deciding.mayHaveMissed()
  batch.decision = decision
  batch.events = events
  work.finish()
}
