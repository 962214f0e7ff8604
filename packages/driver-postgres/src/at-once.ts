import {
  type AcquireCommand,
  type HolderId,
  InternalError,
  RecordedSection,
  type ReleaseCommand,
} from '@slotkeeper/core/driver'
import { arrayText } from './array-text.ts'
import { type Found, factsOfGiven, factsOfTaken } from './facts-at-once.ts'
import type { Step } from './flight.ts'
import type { Work } from './lanes.ts'
import type { Statement } from './statements.ts'
import type { Deciding } from './transact.ts'

/** A command that the server may be able to decide, with the work that it is of. */
interface Simple<C> {
  readonly work: Work
  readonly command: C
}
/** The values of a command, in the order of its statement's parameters. */
type Values = readonly unknown[]

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
): Promise<readonly Work[]> {
  const by = works.find(({ batch }) => batch.by !== undefined)?.batch.by
  if (by === undefined || deciding.history) return works
  const taking: Simple<AcquireCommand>[] = []
  const giving: Simple<ReleaseCommand>[] = []
  for (const work of works) {
    const [command] = work.batch.commands
    if (command === undefined || !isAlone(deciding, work, by)) continue
    if (command.kind === 'acquire' && isSimpleAcquire(command, by)) taking.push({ work, command })
    else if (command.kind === 'release' && isSimpleRelease(deciding, work, command))
      giving.push({ work, command })
  }
  const { sql, lockSeed, connections } = deciding
  const steps: Step[] = []
  const add = (commands: readonly Values[], one: Statement, many: Statement) => {
    const [first] = commands
    if (first === undefined) return
    const values =
      commands.length === 1
        ? first.map(textOf)
        : first.map((_, at) => arrayText(commands.map((of) => of[at])))
    steps.push({ statement: commands.length === 1 ? one : many, values: [lockSeed, by, ...values] })
  }
  add(taking.map(takingValues), sql.takeAtOnce, sql.takeManyAtOnce)
  add(
    giving.map((one) => givingValues(deciding, one)),
    sql.giveBackAtOnce,
    sql.giveBackManyAtOnce,
  )
  if (steps.length === 0) return works
  const answers = await connections.use((wire) => wire.atomic(steps), signal)
  const done = new Set<Work>()
  for (const row of (taking.length > 0 && answers[0]) || []) {
    const { work, command } = taking[Number(row[0]) - 1] as Simple<AcquireCommand>
    done.add(work)
    conclude(deciding, work, factsOfTaken(row, command, by))
  }
  for (const row of (giving.length > 0 && answers.at(-1)) || []) {
    const { work, command } = giving[Number(row[0]) - 1] as Simple<ReleaseCommand>
    done.add(work)
    conclude(deciding, work, factsOfGiven(row, command, by))
  }
  return works.filter((work) => !work.isOver && !done.has(work))
}

function isAlone({ busy }: Deciding, { batch }: Work, by: HolderId): boolean {
  const { commands, domain } = batch
  return commands.length === 1 && batch.by === by && commands[0]?.repository === domain && !busy.has(domain)
}

/** The server is not told of everything that a command may say. */
function isSimpleAcquire({ mode, holder, audit, proposal }: AcquireCommand, by: HolderId): boolean {
  return mode !== 'enqueue' && holder === by && audit === undefined && proposal.limit !== null
}

function isSimpleRelease({ recordTtlMs }: Deciding, { decide }: Work, { force }: ReleaseCommand): boolean {
  return force === undefined && recordTtlMs.has(decide)
}

/** In the order of `TAKE` of `statements/at-once.ts`. */
function takingValues({ command }: Simple<AcquireCommand>): Values {
  const { repository, run, proposal, validUntil, runUid, ticket, durable, priority, meta } = command
  return [
    ...[
      repository,
      run,
      JSON.stringify(proposal),
      proposal.limit,
      validUntil,
      runUid,
      ticket,
      durable,
      priority,
    ],
    meta === undefined ? undefined : JSON.stringify(meta),
    ...[command.maxHoldMs, command.claimTimeoutMs, command.leaseTtlMs],
  ]
}

/** In the order of `GIVE_BACK` there. */
function givingValues({ recordTtlMs }: Deciding, { work, command }: Simple<ReleaseCommand>): Values {
  const { repository, run, token, ticket, state } = command
  return [repository, run, token, ticket, state, recordTtlMs.get(work.decide)]
}

function textOf(value: unknown): string | null {
  return value === undefined ? null : String(value)
}

/** Has the policy decide what the server did, and answers with it. */
function conclude(deciding: Deciding, work: Work, { facts, did }: Found): void {
  const { batch, decide } = work
  const { budget, clockLagMs } = deciding.manifest
  const section = new RecordedSection(facts, { budget, by: batch.by, clockLagMs })
  const decision = decide(section, batch.commands)
  const { runs, repositories, events, notify } = section.changes()
  const row = runs[0]?.row
  const isSame =
    row !== undefined &&
    runs.length === 1 &&
    !notify &&
    String(repositories[0]?.numbers) === String(did.numbers) &&
    (did.token === 0
      ? row.phase === 'record' && row.dueAt === facts.now + (deciding.recordTtlMs.get(decide) as number)
      : row.phase === 'running' && row.token === did.token && row.number === did.number)
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
