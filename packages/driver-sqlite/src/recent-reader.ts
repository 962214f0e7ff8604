import { InternalError, type RepositoryKey, type RunRow } from '@slotkeeper/core/driver'
import { ENDED, type Header, LIKE, RUNNING, type Told, type ToldCounts, type ToldRun } from './recent-row.ts'
import type { Counters } from './repository-columns.ts'
import { ENDINGS, rowOf, STATES } from './run-columns.ts'
import { type Distance, type Tail, together, withTail } from './shorthand.ts'

/** Reads a row of `recent`. */
export class RecentReader {
  readonly told: readonly Told[]
  readonly #header: Header
  /** The last run told whole. */
  #like: RunRow | undefined

  constructor(text: string) {
    const [header, ...told] = JSON.parse(text) as [Header, ...Told[]]
    this.#header = header
    this.told = told
  }

  committedAt(told: Distance): number {
    return together(told, this.#header[0])
  }

  counters(token: Distance, lastSequence: number, live: number, others: ToldCounts): Counters {
    const [reserved, orphaned, waiting, parked, ...numbers] = (
      typeof others === 'number' ? [0, 0, 0, 0, others] : others
    ) as [number, number, number, number, ...number[]]
    const lastToken = together(token, this.#header[1])
    return { lastToken, lastSequence, live, reserved, orphaned, waiting, parked, numbers }
  }

  /** Passes over a run of a repository that is gone, which later ones may be told by all the same. */
  pass(told: ToldRun): void {
    if (told[0] < LIKE) this.run('' as RepositoryKey, told, undefined)
  }

  /** The row of a run, given what was last told of it. To be asked for in the order in which they are told. */
  run(repository: RepositoryKey, [how, run, ...told]: ToldRun, before: RunRow | undefined): RunRow {
    const [, firstToken, wall, due, firstTicket] = this.#header
    if (how === ENDED) {
      if (before === undefined) throw new InternalError(`${run} ended, and what came before is not there.`)
      const [endedBy, ending = 0, state = 0, endedAt = 0, dueAt = 0] = told
      return {
        ...before,
        phase: 'record',
        holder: undefined,
        number: 0,
        endedBy: endedBy === null ? undefined : withTail(endedBy as Tail, firstTicket),
        ending: ENDINGS[ending as number],
        state: STATES[state as number],
        endedAt: endedAt === null ? undefined : together(endedAt as Distance, wall),
        dueAt: dueAt === null ? undefined : together(dueAt as Distance, due),
      }
    }
    if (how === LIKE) {
      const [ticket, sequence = 0, number = 0, token = 0, at = 0] = told as [
        Tail,
        number,
        number,
        Distance,
        Distance,
      ]
      const queuedAt = together(at, wall)
      return {
        ...(this.#like as RunRow),
        repository,
        run,
        ticket: withTail(ticket, firstTicket),
        sequence,
        number,
        token: together(token, firstToken),
        queuedAt,
        acquiredAt: queuedAt,
        startedAt: queuedAt,
      }
    }
    const [holder, priority, sequence, dueAt, ...rest] = told
    const phase = how === RUNNING ? 'running' : 'record'
    this.#like = rowOf(repository, [run, 0, phase, holder, priority, sequence, dueAt], rest)
    return this.#like
  }
}
