// Keeps the file named by the argument locked until it is told something, and says then how many turns its event loop has made.
import { once } from 'node:events'
import { createRequire } from 'node:module'
import type BetterSqlite from 'better-sqlite3'

const Sqlite: typeof BetterSqlite = createRequire(import.meta.url)('better-sqlite3')
const file = new Sqlite(process.argv[2] as string)
file.exec('BEGIN IMMEDIATE')
console.log('locked')
let turns = 0
const loop = setInterval(() => turns++, 1)
await once(process.stdin, 'data')
file.exec('COMMIT')
file.close()
console.log(turns)
clearInterval(loop)
process.stdin.destroy()
