import {
  type AcquireCommand,
  type Facts,
  type HolderId,
  InternalError,
  RecordedSection,
  type ReleaseCommand,
} from '@slotkeeper/core/driver'
import type { Row, Step } from './flight.ts'
import type { Work } from './lanes.ts'
import { holderOf, type JsonRow, jsonRowOf, RUN_COLUMNS, repositoryOf, runOf } from './rows.ts'
import { DONE_COLUMNS } from './statements/at-once.ts'
import type { Deciding } from './transact.ts'

/** What the server says of a domain that it has decided at once. */
interface Done {
  /** The repository as it was, with the times and the holder. */
  readonly was: JsonRow
  /** The slot's number, and the numbers in use now. */
  readonly number: number
  readonly numbers: readonly number[]
  /** The slot as it was, where one was given back. */
  readonly run: JsonRow | undefined
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
  const isOne = acquiring.length + releasing.length === 1
  const steps = isOne
    ? [alone(deciding, by, acquiring[0], releasing[0])]
    : together(deciding, by, acquiring, releasing)
  const answers = await deciding.connections.use((wire) => wire.atomic(steps), signal)
  const done = new Map<string, Done>()
  for (const [at, { statement }] of steps.entries()) {
    if (statement === deciding.sql.tryLockDomains) continue
    for (const row of answers[at] ?? []) {
      const one = isOne ? doneAlone(row) : doneTogether(row)
      if (one !== undefined) done.set(one.was.repository_key as string, one)
    }
  }
  return done
}

function doneAlone([json]: Row): Done | undefined {
  if (json === null || json === undefined) return undefined
  const [was, number, numbers] = JSON.parse(json) as [JsonRow, number, readonly number[]]
  return { was, number, numbers, run: was.run as JsonRow | undefined }
}

function doneTogether(row: Row): Done {
  const was = jsonRowOf(DONE_COLUMNS, row)
  const run =
    row.length === DONE_COLUMNS.length ? undefined : jsonRowOf(RUN_COLUMNS, row, DONE_COLUMNS.length)
  return { was, number: was.number as number, numbers: was.numbers_after as number[], run }
}

/** One command: by a function that takes its parts. */
function alone(
  { sql, lockSeed, recordTtlMs }: Deciding,
  by: HolderId,
  acquiring: Acquiring | undefined,
  releasing: Releasing | undefined,
): Step {
  if (acquiring !== undefined) {
    const asked = askedFor(acquiring)
    return { statement: sql.takeAtOnce, values: [lockSeed, by, ...Object.values(asked).map(textOf)] }
  }
  const { work, command } = releasing as Releasing
  const { repository, run, token, ticket, state } = command
  return {
    statement: sql.giveBackAtOnce,
    values: [lockSeed, by, repository, run, token, ticket, state, recordTtlMs.get(work.decide)].map(textOf),
  }
}

/** Many: by statements over all of them. */
function together(
  { sql, lockSeed, recordTtlMs }: Deciding,
  by: HolderId,
  acquiring: readonly Acquiring[],
  releasing: readonly Releasing[],
): Step[] {
  const domains = [...acquiring, ...releasing].map(({ work }) => work.batch.domain)
  const steps: Step[] = [{ statement: sql.tryLockDomains, values: [JSON.stringify(domains), lockSeed] }]
  if (acquiring.length > 0)
    steps.push({ statement: sql.takeManyAtOnce, values: [JSON.stringify(acquiring.map(askedFor)), by] })
  if (releasing.length > 0) {
    const ttlMs = String(recordTtlMs.get((releasing[0] as Releasing).work.decide))
    steps.push({
      statement: sql.giveBackManyAtOnce,
      values: [JSON.stringify(releasing.map(givenBack)), by, ttlMs],
    })
  }
  return steps
}

function textOf(value: unknown): string | null {
  return value === undefined ? null : String(value)
}

/** In the order in which the function takes them. */
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
function conclude(deciding: Deciding, work: Work, { was, number, numbers, run }: Done, by: HolderId): void {
  const { batch, decide } = work
  const { now, wall, floor } = was as { readonly now: number; readonly wall: number; readonly floor: number }
  const facts: Facts = {
    ...{ domain: batch.domain, now, wall, tokenFloor: floor },
    guard: { watchedUntil: 0, backlog: false },
    repositories: [repositoryOf(was)],
    runs: run === undefined ? [] : [runOf(run)],
    holders: [holderOf(was)],
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
    String(repositories[0]?.numbers) === String(numbers) &&
    !notify &&
    (run !== undefined
      ? row.phase === 'record' && row.dueAt === now + (deciding.recordTtlMs.get(decide) as number)
      : row.phase === 'running' && row.token === floor + 1 && row.number === number)
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
