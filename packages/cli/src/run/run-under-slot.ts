import type { FinalState, LossReason, Slot, SlotLostError } from '@slotkeeper/core'
import { EXIT } from '../exit-codes.ts'
import { ExitError } from '../exit-error.ts'
import { jsonText } from '../json-text.ts'
import type { Output } from '../output.ts'
import { type CommandEnd, SupervisedCommand } from '../supervision/supervised-command.ts'
import { startFailure } from './find-command.ts'
import { graceOf, leaseDeadline, lookOf } from './lease-deadline.ts'
import { readsStandardInput } from './reads-standard-input.ts'
import type { RunOptions } from './run-options.ts'
import { exitCodeOfSignal, type SignalRelay } from './signal-relay.ts'
import { slotEnvironment } from './slot-environment.ts'

/** A slot, and what shall run under it. */
export interface UnderSlot {
  readonly slot: Slot
  readonly options: RunOptions
  readonly relay: SignalRelay
  readonly err: Output
}

/** What came of it: the exit code, and the state in which the run ends. */
interface Result {
  readonly exitCode: number
  readonly state: FinalState
}

/** How long the command has to end by itself after somebody took its slot away; a lease that is over leaves it no time. */
const REMOVED_GRACE_MS = 1000

/**
 * Runs the command under the slot, and frees the slot once nothing is left of the command.
 * @throws ExitError when the command cannot be started (126, 127), or its supervisor died (125)
 * @throws Interruption when a signal came with the grant; nothing was started then
 */
export async function runUnderSlot(under: UnderSlot): Promise<number> {
  const { slot, relay, err } = under
  let state: FinalState = 'cancelled'
  try {
    relay.interrupted.throwIfAborted()
    state = 'failed'
    const result = await runToItsResult(under)
    state = result.state
    return result.exitCode
  } finally {
    await free(slot, state, err)
  }
}

async function runToItsResult(under: UnderSlot): Promise<Result> {
  const { slot, options, relay, err } = under
  const tell = (event: string, fields: object) => {
    if (options.json)
      err.write(`${jsonText({ event, repository: slot.repository, run: slot.run, ...fields })}\n`)
  }
  const { leaseId, fencingToken, slotNumber } = slot
  tell('granted', { leaseId, fencingToken: String(fencingToken), slotNumber })
  const end = await runToItsEnd(under)
  // Read from the clock now: a process that was stopped has not heard of its own deadline yet.
  if (!slot.isHeld || (end.kind === 'over' && end.ended)) {
    err.write(`slotkeeper: ${lossSentence(slot, end)}\n`)
    tell('lost', { exitCode: EXIT.leaseLost })
    return { exitCode: EXIT.leaseLost, state: 'failed' }
  }
  if (end.kind === 'unsupervised') throw unsupervised()
  if (end.kind === 'not-started') throw startFailure(options.command, end.code, end.message)
  const result = resultOf(end, relay.hasAskedToEnd)
  tell('ended', result)
  return result
}

async function runToItsEnd({ slot, options, relay }: UnderSlot): Promise<CommandEnd> {
  const deadline = () => leaseDeadline(slot)
  const command = new SupervisedCommand({
    command: options.command,
    args: options.args,
    env: slotEnvironment(process.env, slot),
    stdin: readsStandardInput(),
    graceMs: graceOf(options),
    deadline,
  })
  relay.passTo((signal) => command.signal(signal))
  const lose = () => command.end(reasonOf(slot) === 'removed' ? REMOVED_GRACE_MS : 0)
  slot.signal.addEventListener('abort', lose)
  if (slot.signal.aborted) lose()
  const feed = setInterval(() => command.extend(deadline()), lookOf(options.ttlMs))
  try {
    return await command.ended
  } finally {
    clearInterval(feed)
    slot.signal.removeEventListener('abort', lose)
  }
}

function resultOf(
  { exitCode, signal }: Extract<CommandEnd, { kind: 'over' }>,
  wasAskedToEnd: boolean,
): Result {
  const code = signal === null ? (exitCode ?? EXIT.usage) : exitCodeOfSignal(signal)
  return { exitCode: code, state: code === 0 ? 'completed' : wasAskedToEnd ? 'cancelled' : 'failed' }
}

/** The command is over, and its result counts, whether or not the store hears of it in time. */
async function free(slot: Slot, state: FinalState, err: Output): Promise<void> {
  try {
    if (slot.isHeld) await slot.release({ state })
  } catch (error) {
    err.write(
      `slotkeeper: the slot could not be freed and comes back when its lease runs out: ${(error as Error).message}\n`,
    )
  }
}

function reasonOf(slot: Slot): LossReason | undefined {
  return (slot.signal.reason as SlotLostError | undefined)?.reason
}

function lossSentence(slot: Slot, end: CommandEnd): string {
  const why = slot.isHeld
    ? 'no heartbeat came in time.'
    : ((slot.signal.reason as Error | undefined)?.message ?? 'the lease ran out.')
  const what =
    end.kind !== 'over'
      ? ''
      : end.ended
        ? 'The command was ended.'
        : 'The command had ended by itself before that was noticed.'
  return `lease lost: ${why} ${what}`
}

function unsupervised(): ExitError {
  return new ExitError(
    'the process that supervises the command was killed, so the command was ended. Run it again.',
  )
}
