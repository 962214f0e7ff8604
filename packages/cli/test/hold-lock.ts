// Keeps the file named by the argument locked until it is told something. A process of its own: locks belong to processes.
import { once } from 'node:events'
import { DatabaseSync } from 'node:sqlite'

const file = new DatabaseSync(process.argv[2] as string)
file.exec('BEGIN IMMEDIATE')
console.log('locked')
await once(process.stdin, 'data')
file.exec('COMMIT')
file.close()
process.stdin.destroy()
