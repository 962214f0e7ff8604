// Opens the store named by the argument as the user `nobody` and says how that failed.
import { isSlotkeeperError } from '@slotkeeper/core/driver'
import { sqliteDriver } from '../../src/index.ts'
import { loadBetterSqlite } from '../../src/runtime.ts'

// Loaded before the rights are given up, since the checkout may be closed to others.
await loadBetterSqlite()
if (process.getuid?.() === 0) {
  process.setgid?.(65534)
  process.setuid?.(65534)
}
const driver = sqliteDriver({ path: process.argv[2] as string })
try {
  await driver.open({ schema: 'migrate' })
  console.log('opened')
} catch (error) {
  console.log(isSlotkeeperError(error) ? error.code : String(error))
}
