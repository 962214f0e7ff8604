// One of the processes of contend.ts: waits, holds, gives back, and notes when.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Manager, repository } from '@slotkeeper/core'
import { sqliteDriver } from '@slotkeeper/driver-sqlite'
import { machineMs, type Role, type Start, type Turn } from './contend.ts'

const role = JSON.parse(process.argv[2] as string) as Role
const manager = new Manager({ driver: sqliteDriver({ path: role.path, synchronous: role.synchronous }) })
const hot = repository('bench/hot', { concurrencyLimit: role.limit })
const records: Turn[] = []
await manager.health()
process.send?.('ready')
const [{ until }] = (await once(process, 'message')) as [Start]
await Promise.all(Array.from({ length: role.waiters }, (_, at) => takeTurns(at)))
await manager.close()
process.send?.(records, undefined, undefined, () => process.disconnect())

async function takeTurns(waiter: number): Promise<void> {
  for (let turn = 0; machineMs() < until; turn++) {
    const asked = machineMs()
    const slot = await manager.waitForSlot({
      repository: hot,
      run: `bench/run-${role.process}-${waiter}-${turn}`,
    })
    const granted = machineMs()
    await sleep(role.holdMs)
    const releasing = machineMs()
    await slot.release()
    records.push({
      process: role.process,
      asked,
      granted,
      releasing,
      token: Number(slot.fencingToken),
      number: slot.slotNumber ?? 0,
    })
  }
}
