import type { RunRow } from '@slotkeeper/core/driver'
import { ENDED, type Header, LIKE, RECORD, RUNNING, type Told, type ToldRun } from './recent-row.ts'
import type { Counters } from './repository-columns.ts'
import { ENDINGS, restOf, STATES } from './run-columns.ts'
import { apart, tailOf } from './shorthand.ts'

/** Gathers what one commit changes, for its row of `recent`: JSON, and short, since its bytes are what most commits cost. */
export class RecentWriter {
  #told: Told[] = []
  #header: Header | undefined
  /** The last run told whole. */
  #like: RunRow | undefined

  get isEmpty(): boolean {
    return this.#told.length === 0
  }

  clear(): void {
    this.#told = []
    this.#header = undefined
    this.#like = undefined
  }

  settled(id: number): void {
    this.#told.push([id])
  }

  /** Tells the counts of a repository, and how one of its runs is now; `run` tells of others. */
  counted(id: number, committedAt: number, counters: Counters, run?: RunRow, before?: RunRow): void {
    const { lastToken, lastSequence, live, reserved, orphaned, waiting, parked, numbers } = counters
    this.#header ??= [committedAt, lastToken, undefined, undefined, '']
    const header = this.#header
    const at = apart(committedAt, header[0])
    const token = apart(lastToken, header[1])
    const others =
      numbers.length === 1 && reserved + orphaned + waiting + parked === 0
        ? (numbers[0] as number)
        : [reserved, orphaned, waiting, parked, ...numbers]
    this.#told.push(
      run === undefined
        ? [id, at, token, lastSequence, live, others]
        : [id, at, token, lastSequence, live, others, this.#toldRun(run, before, header)],
    )
  }

  /** Tells how another run of the repository counted last is now. `before`: what was last told of it. */
  run(row: RunRow, before: RunRow | undefined): void {
    const last = this.#told[this.#told.length - 1] as unknown as ToldRun[]
    last.push(this.#toldRun(row, before, this.#header as Header))
  }

  #toldRun(row: RunRow, before: RunRow | undefined, header: Header): ToldRun {
    header[2] ??= row.endedAt ?? row.startedAt ?? row.acquiredAt ?? row.queuedAt
    header[3] ??= row.dueAt
    if (header[4] === '') header[4] = row.ticket
    const [, token, wall, due, ticket] = header
    const { run, endedBy, endedAt, dueAt } = row
    if (before !== undefined && isEnd(row, before))
      return withoutZeros([
        ENDED,
        run,
        endedBy === undefined ? null : tailOf(endedBy, ticket),
        ENDINGS.indexOf(row.ending),
        STATES.indexOf(row.state),
        endedAt === undefined ? null : apart(endedAt, wall),
        dueAt === undefined ? null : apart(dueAt, due),
      ])
    const like = this.#like
    if (like !== undefined && isLike(row, like)) {
      const at = apart(row.queuedAt as number, wall)
      return withoutZeros([
        LIKE,
        run,
        tailOf(row.ticket, ticket),
        row.sequence,
        row.number,
        apart(row.token, token),
        at,
      ])
    }
    this.#like = row
    const { phase, holder, priority, sequence } = row
    return [phase === 'running' ? RUNNING : RECORD, run, holder, priority, sequence, dueAt, ...restOf(row)]
  }

  /** The text of the row. */
  text(): string {
    return JSON.stringify([this.#header ?? [], ...this.#told])
  }
}

/** A slot taken at once, of which nothing but its own names, numbers and time is unlike the other, which was taken at once as well. */
function isLike(row: RunRow, like: RunRow): boolean {
  return (
    row.phase === 'running' &&
    like.phase === 'running' &&
    row.queuedAt !== undefined &&
    row.queuedAt === row.acquiredAt &&
    row.queuedAt === row.startedAt &&
    row.state === like.state &&
    row.holder === like.holder &&
    row.endedAt === like.endedAt &&
    row.ending === like.ending &&
    row.endedBy === like.endedBy &&
    row.dueAt === like.dueAt &&
    isSame(row, like)
  )
}

/** Whether the row's end is all that changed. */
function isEnd(row: RunRow, before: RunRow): boolean {
  return (
    row.phase === 'record' &&
    row.ticket === before.ticket &&
    row.token === before.token &&
    row.sequence === before.sequence &&
    row.holder === undefined &&
    row.number === 0 &&
    row.queuedAt === before.queuedAt &&
    row.acquiredAt === before.acquiredAt &&
    row.startedAt === before.startedAt &&
    isSame(row, before)
  )
}

/** Whether the rows are the same in what differs least. */
function isSame(row: RunRow, other: RunRow): boolean {
  return (
    row.durable === other.durable &&
    row.priority === other.priority &&
    row.maxHoldMs === other.maxHoldMs &&
    row.claimTimeoutMs === other.claimTimeoutMs &&
    row.leaseTtlMs === other.leaseTtlMs &&
    row.parks === other.parks &&
    row.runUid === other.runUid &&
    row.grantedTo === other.grantedTo &&
    row.meta === other.meta &&
    row.holdUntil === other.holdUntil &&
    row.successor === other.successor
  )
}

/** What is mostly 0 stands last, and takes no room then. */
function withoutZeros(list: ToldRun): ToldRun {
  let { length } = list
  while (list[length - 1] === 0) length--
  return length === list.length ? list : (list.slice(0, length) as unknown as ToldRun)
}
