import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { chooseVictim } from './choose-victim.ts'
import { Fleet, type Worker } from './fleet.ts'
import { History } from './history.ts'
import { judgeKill } from './judge-kill.ts'
import type { LiveView } from './live-view.ts'
import { deal, type Plan, workSeconds } from './plan.ts'
import { LogReader, monotonicMs, openLog } from './run-log.ts'

/** How soon a dead worker's slots come back; short, so that there is not much to wait for. */
export const TTL_MS = 3000
export const WORKERS = 4

const LOOK_MS = 100
const FINISH_MS = 10_000

/**
 * Has the workers do the plan, kills one of them in the middle, gives its unfinished runs to a new one, and answers what the log says.
 * When it returns or throws, no process that it started is left.
 * @throws Error when a worker fails; the signal's reason
 */
export async function conduct(
  plan: Plan,
  { folder, logPath, view, signal }: { folder: string; logPath: string; view: LiveView; signal: AbortSignal },
): Promise<History> {
  const history = new History()
  const reader = new LogReader(logPath)
  const log = openLog(logPath)
  const fleet = new Fleet({
    database: join(folder, 'slots.db'),
    logPath,
    ttlMs: TTL_MS,
    repositories: plan.repositories,
  })
  const beganAt = monotonicMs()
  const workMs = workSeconds(plan) * 1000
  const mostMs = 3 * workMs + 45_000
  let told = 0

  const read = () => {
    for (const line of reader.read()) history.add(line)
  }

  /** Kills a worker, and only when it and its children are gone gives what it has not done to a new one. */
  const kill = async (worker: Worker) => {
    log({ event: 'kill', worker: worker.name, pid: worker.pid })
    await fleet.kill(worker)
    read()
    const { slots } = judgeKill(history, TTL_MS)
    const done = doneRuns(history)
    const unfinished = worker.runs.filter(({ run }) => !done.has(run))
    view.event(`${worker.name} (process ${worker.pid}) killed with -9; its ${slots} children have stopped`)
    const heir = fleet.start(unfinished)
    view.event(
      `${heir.name} takes over its ${unfinished.length} unfinished runs; the store keeps the slots until the TTL is over`,
    )
  }

  const endAll = () => void fleet.end()
  signal.addEventListener('abort', endAll)
  try {
    for (const hand of deal(plan, WORKERS)) if (hand.length > 0) fleet.start(hand)
    for (;;) {
      const isOver = fleet.isOver
      read()
      view.show(history)
      fleet.check()
      const done = doneRuns(history).size
      if (done >= plan.runs.length || isOver) break
      const passedMs = monotonicMs() - beganAt
      if (passedMs > mostMs) {
        view.event(
          `${plan.runs.length - done} runs are not done after ${Math.round(passedMs / 1000)} s: giving up`,
        )
        return history
      }
      if (history.kills.length === 0) {
        const share = Math.max(done / plan.runs.length, passedMs / workMs)
        const victim = chooseVictim(plan, history, fleet.workers, { share })
        if (victim !== undefined) await kill(victim)
      } else {
        const { given, givenAfterMs = 0, slots } = judgeKill(history, TTL_MS)
        if (given > told)
          view.event(
            `${given} of the ${slots} slots of the killed worker have gone to others, ${seconds(givenAfterMs)} after the kill`,
          )
        told = Math.max(told, given)
      }
      await pause(LOOK_MS, undefined, { signal })
    }
    const late = await fleet.finish(FINISH_MS)
    signal.throwIfAborted()
    if (late.length > 0) throw new Error(`All runs are done, but ${late.join(' and ')} did not end.`)
    fleet.check()
    read()
    return history
  } finally {
    signal.removeEventListener('abort', endAll)
    await fleet.end()
    reader.close()
  }
}

function doneRuns(history: History): ReadonlySet<string> {
  return new Set(history.attempts.filter(({ end }) => end?.outcome === 'done').map(({ run }) => run))
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
