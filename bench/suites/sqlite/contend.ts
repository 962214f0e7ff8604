import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Context } from '../../harness/case.ts'

export const LIMIT = 8
export const HOLD_MS = 5

/** The driver's option of this name. */
export type Synchronous = 'full' | 'normal'

const PROCESSES = 2
const WAITERS = 64 / PROCESSES

/** One turn of a waiter; times are in ms of the machine's monotonic clock, which all processes share. */
export interface Turn {
  readonly process: number
  readonly asked: number
  readonly granted: number
  /** When `release` was called. */
  readonly releasing: number
  readonly token: number
  readonly number: number
}

/** What a contender is told when all are ready. */
export interface Start {
  readonly until: number
}

/** What a contender is started with. */
export interface Role {
  readonly process: number
  readonly path: string
  readonly synchronous: Synchronous
  readonly waiters: number
  readonly limit: number
  readonly holdMs: number
}

/** The machine's monotonic clock: the same in every process, unlike `performance.now()`. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Lets two processes contend for one repository; answers every turn, and the time in which the figures are taken. */
export async function contend(
  { directory, quick }: Context,
  synchronous: Synchronous,
): Promise<{
  readonly records: readonly Turn[]
  readonly from: number
  readonly until: number
}> {
  const path = join(directory, `shared-${process.pid}.db`)
  const script = fileURLToPath(new URL('./contender.ts', import.meta.url))
  const children: ChildProcess[] = []
  for (let at = 0; at < PROCESSES; at++) {
    const role: Role = { process: at, path, synchronous, waiters: WAITERS, limit: LIMIT, holdMs: HOLD_MS }
    const child = fork(script, [JSON.stringify(role)])
    children.push(child)
    // One after the other, so that both find the file made.
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
