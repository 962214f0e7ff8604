// Processes that contend for one repository, for the suites of all stores: the side of the one that starts them.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Context } from '../harness/case.ts'

/** One turn of a waiter; times are in ms of the machine's monotonic clock, which all processes share. */
export interface Turn {
  readonly process: number
  readonly asked: number
  readonly granted: number
  /** When `release` was called. */
  readonly releasing: number
  /** Grows with every grant. */
  readonly token: number
  readonly number: number
}

/** Turns, and the time in which the figures are taken. */
export interface Turns {
  readonly records: readonly Turn[]
  readonly from: number
  readonly until: number
}

/** What a contender is told when all are ready. */
export interface Start {
  readonly until: number
}

/** What all contend for, and how. */
export interface Contention {
  readonly processes: number
  /** In each process. */
  readonly waiters: number
  readonly limit: number
  readonly holdMs: number
}

/** What each process is started with; a store adds where it is. */
export interface Role extends Contention {
  readonly process: number
}

/** The machine's monotonic clock: the same in every process, unlike `performance.now()`. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Runs `script`, which calls `takeTurns`, in each of the processes. */
export async function contend<R extends Contention>(
  { quick }: Context,
  script: URL,
  contention: R,
): Promise<Turns> {
  const children: ChildProcess[] = []
  for (let process = 0; process < contention.processes; process++) {
    const role: Role = { ...contention, process }
    const child = fork(fileURLToPath(script), [JSON.stringify(role)])
    children.push(child)
    // One after the other, so that all find the store made.
    await messageOf(child)
  }
  const from = machineMs() + (quick ? 300 : 1500)
  const until = from + (quick ? 1000 : 5000)
  const answers = children.map(messageOf)
  for (const child of children) child.send({ until: until + 100 } satisfies Start)
  const records = (await Promise.all(answers)).flat() as Turn[]
  return { records, from, until }
}

async function messageOf(child: ChildProcess): Promise<unknown> {
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`A contender ended with ${code}.`)
    }),
  ])
  return message
}
