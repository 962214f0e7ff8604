// Takes and gives back slots of a limit of 3 for ever, and says every token that it was granted.
import { randomUUID } from 'node:crypto'
import { createDecide, type DomainBatch, type HolderId, type RunRow } from '@slotkeeper/core/driver'
import { sqliteDriver } from '../../src/index.ts'
import { acquireCommand, releaseCommand } from './commands.ts'

const driver = sqliteDriver({ path: process.argv[2] as string, synchronous: 'normal' })
await driver.open({ schema: 'migrate' })
const holder = `child-${randomUUID()}` as HolderId
await driver.openHolder(holder, 60_000)
console.log(holder)
const decide = createDecide({ recordTtlMs: 86_400_000 })
for (let i = 0; ; i++) {
  const commands = Array.from({ length: 5 }, (_, k) =>
    acquireCommand(holder, `acme/${process.pid}-${i}-${k}`, 3),
  )
  const granted: RunRow[] = []
  const batch: DomainBatch = {
    domain: 'acme/api',
    by: holder,
    commands,
    decision: undefined,
    error: undefined,
    events: [],
    done() {},
  }
  await driver.transact([batch], decide)
  for (const { outcome } of commands) if (outcome?.kind === 'granted') granted.push(outcome.row)
  for (const row of granted) console.log(row.token)
  while (granted.length > 0) {
    const release: DomainBatch = {
      ...batch,
      commands: granted.splice(0).map(releaseCommand),
      decision: undefined,
    }
    await driver.transact([release], decide)
    granted.push(...(release.decision?.granted ?? []))
    for (const row of granted) console.log(row.token)
  }
}
