import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Slot } from '@slotkeeper/core'
import type { PlannedRun } from './plan.ts'
import type { Said } from './run-log.ts'

const script = fileURLToPath(new URL('./run-one.mjs', import.meta.url))

/** How long a child may take to stop by itself. Less than the Manager leaves between the signal and the end of the lease. */
const STOP_MS = 150

/** The exit code of a child that was told to stop. */
const STOPPED = 75

/** The child had to stop before its work was done, because the slot was lost. The run may be asked for again. */
export class StoppedError extends Error {}

/** Where a worker stands. */
export interface Place {
  readonly worker: string
  readonly logPath: string
  readonly log: (line: Said) => void
}

/**
 * Does a run under its slot, in a process of its own.
 * @throws StoppedError when the slot was lost; then the child is gone
 */
export async function runChild(
  { run, repository, seconds }: PlannedRun,
  slot: Slot,
  place: Place,
): Promise<void> {
  const args = [place.logPath, place.worker, repository, run, String(Math.round(seconds * 1000))]
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: {
      ...process.env,
      SLOTKEEPER_FENCING_TOKEN: String(slot.fencingToken),
      SLOTKEEPER_SLOT_NUMBER: slot.slotNumber === undefined ? '' : String(slot.slotNumber),
    },
  })
  let killing: NodeJS.Timeout | undefined
  const stop = () => {
    child.stdin?.end()
    killing = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  }
  slot.signal.addEventListener('abort', stop, { once: true })
  if (slot.signal.aborted) stop()
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    if (code === 0) return
    if (signal !== null && child.pid !== undefined)
      // It could not say so itself, and is gone by now.
      place.log({ event: 'end', outcome: 'stopped', run, pid: child.pid })
    if (code === STOPPED || signal === 'SIGKILL')
      throw new StoppedError(`${run} was stopped: its slot was lost.`)
    throw new Error(`The child process of ${run} ended with ${signal ?? `exit code ${code}`}.`)
  } finally {
    clearTimeout(killing)
    slot.signal.removeEventListener('abort', stop)
  }
}
