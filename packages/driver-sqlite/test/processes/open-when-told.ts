// Says `ready`, waits for a line, opens the store named by the argument and takes a slot in it.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createDecide, type HolderId } from '@slotkeeper/core/driver'
import { sqliteDriver } from '../../src/index.ts'
import { acquireCommand } from './commands.ts'

const driver = sqliteDriver({ path: process.argv[2] as string })
console.log('ready')
await once(process.stdin, 'data')
await driver.open({ schema: 'migrate' })
const holder = `child-${randomUUID()}` as HolderId
await driver.openHolder(holder, 30_000)
const command = acquireCommand(holder, `acme/${process.pid}`, 100)
const batch = {
  domain: 'acme/api',
  by: holder,
  commands: [command],
  decision: undefined,
  error: undefined,
  events: [],
  done() {},
}
await driver.transact([batch], createDecide({ recordTtlMs: 86_400_000 }))
console.log(command.outcome?.kind ?? String(batch.error))
await driver.close()
process.stdin.destroy()
