// One of the processes of contend.ts, on etcd, or with the lock of its client.
import { setTimeout as sleep } from 'node:timers/promises'
import { EtcdLockFailedError } from 'etcd3'
import { machineMs, type Role } from '../contend.ts'
import { hotSlots, takeTurns } from '../take-turns.ts'
import { connected, openManager } from './cluster.ts'
import type { Contender, EtcdContention } from './hot.ts'

const role = JSON.parse(process.argv[2] as string) as Role & EtcdContention

/** How long somebody waits who was refused: shorter pauses make it slower for all. */
const POLL_MS = 2

const contenders: Readonly<Record<Contender, () => Promise<void>>> = {
  ours: async () => {
    await using manager = openManager(role.prefix)
    await manager.health()
    await takeTurns(
      role,
      hotSlots(role, () => manager),
    )
  },
  lock: async () => {
    const client = connected()
    await client.get(role.prefix)
    await takeTurns(role, async () => {
      for (;;) {
        const lock = client.lock(`${role.prefix}/lock`).ttl(30)
        try {
          await lock.acquire()
          return { token: machineMs(), number: 1, release: () => lock.release() }
        } catch (error) {
          // It does not wait for its turn.
          if (!(error instanceof EtcdLockFailedError)) throw error
          await sleep(POLL_MS)
        }
      }
    })
    client.close()
  },
}

await contenders[role.contender]()
