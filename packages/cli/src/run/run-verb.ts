import { Manager } from '@slotkeeper/core'
import type { Output } from '../output.ts'
import { openStore } from '../store/open-store.ts'
import { checkCommand } from './find-command.ts'
import { RUN_HELP } from './run-help.ts'
import { readRunOptions } from './run-options.ts'
import { runUnderSlot } from './run-under-slot.ts'
import { exitCodeOfSignal, Interruption, SignalRelay } from './signal-relay.ts'
import { waitForTurn } from './wait-for-turn.ts'

/**
 * `slotkeeper run`: waits for a slot, runs the command under it, frees the slot whatever happens.
 * @returns the exit code of the command, or one of EXIT, or 128 and the number of the signal that ended the wait
 * @throws ExitError, SlotkeeperError
 */
export async function runVerb(argv: readonly string[], out: Output, err: Output): Promise<number> {
  const options = readRunOptions(argv)
  if (options === 'help') {
    out.write(RUN_HELP)
    return 0
  }
  checkCommand(options.command, process.env.PATH)
  const relay = new SignalRelay()
  const { driver } = await openStore(options.store, { make: true })
  const manager = new Manager({ driver, label: options.label, holderTtlMs: options.ttlMs })
  try {
    const slot = await waitForTurn(manager, options, relay.interrupted, err)
    return await runUnderSlot({ slot, options, relay, err })
  } catch (error) {
    if (error instanceof Interruption) return exitCodeOfSignal(error.signal)
    throw error
  } finally {
    await manager.close()
  }
}
