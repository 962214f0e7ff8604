import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Context, Sample } from '../../harness/case.ts'
import { type Pace, paceOf } from '../../harness/pace.ts'

/** The driver's own, from packages/driver-sqlite/src/open-store.ts; they stand here again so that a change there shows in the ratio. */
const PRAGMAS = ['journal_mode = WAL', 'cache_size = -32768']
const LOG = {
  FULL: ['wal_autocheckpoint = 1000', 'journal_size_limit = 4096000'],
  NORMAL: ['wal_autocheckpoint = 4000', 'journal_size_limit = 16384000'],
}

/** One-row inserts, each a commit of its own, with the pragmas that the driver uses: as little as a durable step can be. */
export async function bareInserts(context: Context, synchronous: 'NORMAL' | 'FULL'): Promise<Sample> {
  const db = new Database(join(context.directory, `bare-${process.pid}.db`))
  try {
    for (const pragma of [...PRAGMAS, ...LOG[synchronous], `synchronous = ${synchronous}`]) db.pragma(pragma)
    db.exec('CREATE TABLE bare (id INTEGER PRIMARY KEY, run TEXT NOT NULL)')
    const insert = db.prepare('INSERT INTO bare (run) VALUES (?)')
    let made = 0
    const loop = async (pace: Pace) => {
      while (pace.goesOn()) insert.run(`bench/run-${made++}`)
    }
    return await paceOf(context, loop, { every: 16, seconds: 2, cpuBound: false })
  } finally {
    db.close()
  }
}
