// What a process of contend.ts does: waits, holds, gives back, and notes when.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Manager, type RunKey, repository } from '@slotkeeper/core'
import { machineMs, type Role, type Start, type Turn } from './contend.ts'

/** What somebody has who has a turn. */
export interface Held {
  readonly token: number
  readonly number: number
  release(): Promise<unknown>
}

/** Says that this process is ready, takes turns until it is told to stop, and sends them. */
export async function takeTurns(
  role: Role,
  acquire: (waiter: number, turn: number) => Promise<Held>,
): Promise<void> {
  process.send?.('ready')
  const [{ until }] = (await once(process, 'message')) as [Start]
  const records: Turn[] = []
  const loop = async (waiter: number) => {
    for (let turn = 0; machineMs() < until; turn++) {
      const asked = machineMs()
      const { token, number, release } = await acquire(waiter, turn)
      const granted = machineMs()
      if (role.holdMs > 0) await sleep(role.holdMs)
      const releasing = machineMs()
      await release()
      records.push({ process: role.process, asked, granted, releasing, token, number })
    }
  }
  await Promise.all(Array.from({ length: role.waiters }, (_, waiter) => loop(waiter)))
  await new Promise((resolve) => process.send?.(records, undefined, undefined, resolve))
  process.disconnect()
}

/** Slots of one hot repository, by a Manager for each waiter. */
export function hotSlots(role: Role, managerOf: (waiter: number) => Manager) {
  const hot = repository('bench/hot', { concurrencyLimit: role.limit })
  return async (waiter: number, turn: number): Promise<Held> => {
    const run: RunKey = `bench/run-${role.process}-${waiter}-${turn}`
    const slot = await managerOf(waiter).waitForSlot({ repository: hot, run })
    return { token: Number(slot.fencingToken), number: slot.slotNumber ?? 0, release: () => slot.release() }
  }
}
