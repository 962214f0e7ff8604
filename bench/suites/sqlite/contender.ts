// One of the processes of contend.ts, on SQLite.
import { Manager } from '@slotkeeper/core'
import { sqliteDriver } from '@slotkeeper/driver-sqlite'
import type { Role } from '../contend.ts'
import { hotSlots, takeTurns } from '../take-turns.ts'
import type { SqliteContention } from './shared.ts'

const role = JSON.parse(process.argv[2] as string) as Role & SqliteContention
await using manager = new Manager({
  driver: sqliteDriver({ path: role.path, synchronous: role.synchronous }),
})
await manager.health()
await takeTurns(
  role,
  hotSlots(role, () => manager),
)
