import {
  isSlotkeeperError,
  type Manager,
  repository,
  type Slot,
  SlotRefusedError,
  type SlotRequest,
} from '@slotkeeper/core'
import { EXIT } from '../exit-codes.ts'
import { ExitError } from '../exit-error.ts'
import type { Output } from '../output.ts'
import type { RunOptions } from './run-options.ts'
import { showWait } from './wait-status.ts'

/**
 * Waits until the run has its slot, and says meanwhile where it stands.
 * @throws ExitError 124 after `--wait`; SlotRefusedError; the signal's reason; a SlotkeeperError of the store. Nothing is left in the queue then
 */
export async function waitForTurn(
  manager: Manager,
  options: RunOptions,
  signal: AbortSignal,
  err: Output,
): Promise<Slot> {
  const { run, priority, meta, maxHoldMs, waitMs, quiet, json } = options
  const request: SlotRequest = {
    repository: repository(options.repository, { concurrencyLimit: options.limit }),
    run,
    priority,
    meta,
    signal,
    ...(maxHoldMs !== undefined && { maxHoldMs }),
  }
  if (waitMs === 0) return takeNow(manager, request, options)
  const shown = new AbortController()
  const status = quiet
    ? undefined
    : showWait({ manager, repository: options.repository, run, output: err, json }, shown.signal)
  try {
    return await manager.waitForSlot(waitMs === undefined ? request : { ...request, timeoutMs: waitMs })
  } catch (error) {
    throw isSlotkeeperError(error, 'SLOTKEEPER_WAIT_TIMEOUT') ? waitedTooLong(options) : error
  } finally {
    shown.abort()
    await status
  }
}

/** `--wait 0`: now or not at all. */
async function takeNow(manager: Manager, request: SlotRequest, options: RunOptions): Promise<Slot> {
  const outcome = await manager.acquireSlot(request)
  const what = `${options.repository} ${options.run}`
  if (outcome.kind === 'granted') return outcome.slot
  if (outcome.kind === 'held-elsewhere')
    throw new SlotRefusedError(what, 'held-elsewhere', `Holder ${outcome.holder ?? 'nobody'} has it.`)
  if (outcome.reason === 'limit' || outcome.reason === 'queue' || outcome.reason === 'paused')
    throw waitedTooLong(options)
  throw new SlotRefusedError(what, outcome.reason, 'It was not waited for.')
}

function waitedTooLong({ repository, run, waitMs = 0 }: RunOptions): ExitError {
  const how = waitMs === 0 ? 'there is no free slot now' : `no slot came free within ${waitMs} ms`
  return new ExitError(
    `${repository} ${run}: ${how}. See who holds them: slotkeeper status --repository ${repository}`,
    EXIT.waitedTooLong,
  )
}
