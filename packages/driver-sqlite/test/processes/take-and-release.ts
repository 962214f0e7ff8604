// Takes the only slot, waits for a line and releases it.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type Command, createDecide, type HolderId } from '@slotkeeper/core/driver'
import { sqliteDriver } from '../../src/index.ts'
import { acquireCommand, releaseCommand } from './commands.ts'

const driver = sqliteDriver({ path: process.argv[2] as string })
await driver.open({ schema: 'migrate' })
const holder = `child-${randomUUID()}` as HolderId
await driver.openHolder(holder, 30_000)
const decide = createDecide({ recordTtlMs: 86_400_000 })
const ask = (command: Command) =>
  driver.transact(
    [
      {
        domain: 'acme/api',
        by: holder,
        commands: [command],
        decision: undefined,
        error: undefined,
        events: [],
        done() {},
      },
    ],
    decide,
  )
const command = acquireCommand(holder, 'acme/theirs', 1)
await ask(command)
console.log('holding')
await once(process.stdin, 'data')
if (command.outcome?.kind !== 'granted') throw new Error('not granted')
await ask(releaseCommand(command.outcome.row))
await driver.close()
process.stdin.destroy()
