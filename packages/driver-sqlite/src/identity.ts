import { closeSync, openSync, readSync } from 'node:fs'
import { StoreError } from '@slotkeeper/core/driver'
import type { Database } from 'better-sqlite3'
import { APPLICATION_ID, SCHEMA_VERSION } from './schema.ts'

/** Files up to this size are checked whole when they are opened; it takes a few milliseconds. */
const CHECKED_BYTES = 4 * 2 ** 20
/** Where a SQLite file tells whose it is: https://www.sqlite.org/fileformat.html#the_database_header */
const APPLICATION_ID_AT = 68

/**
 * Reads whose file this is, at one moment of it; never writes.
 * @returns whether it is ours; else it is empty and may become so
 * @throws StoreError `SLOTKEEPER_STORE_FOREIGN`, `SLOTKEEPER_STORE_CORRUPT` or `SLOTKEEPER_SCHEMA_TOO_NEW`
 */
export function identify(db: Database, path: string): boolean {
  return db.transaction(() => identifyNow(db, path)).deferred()
}

function identifyNow(db: Database, path: string): boolean {
  const application = db.pragma('application_id', { simple: true }) as number
  const version = db.pragma('user_version', { simple: true }) as number
  const tables = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() as number
  if (application === 0 && version === 0 && tables === 0) return false
  if (application !== APPLICATION_ID) throw foreign(path)
  if (version > SCHEMA_VERSION)
    throw new StoreError(
      'SLOTKEEPER_SCHEMA_TOO_NEW',
      `The store ${path} has layout ${version}, this release knows ${SCHEMA_VERSION}. Install the release of @slotkeeper/driver-sqlite that wrote it, or a newer one.`,
    )
  // The layouts before were never in a release.
  if (version < SCHEMA_VERSION)
    throw new StoreError(
      'SLOTKEEPER_STORE_FOREIGN',
      `The store ${path} has layout ${version}, which no release wrote; this one knows ${SCHEMA_VERSION}. It was left as it was; move it away and start with a new one.`,
    )
  const bytes =
    (db.pragma('page_count', { simple: true }) as number) *
    (db.pragma('page_size', { simple: true }) as number)
  if (bytes <= CHECKED_BYTES) {
    const found = db.pragma('quick_check(1)', { simple: true })
    if (found !== 'ok') throw damaged(path, String(found))
  }
  return true
}

/**
 * The same by the file's first bytes, for a file that a crash or a copy left with a write-ahead log and nothing else: opening it with
 * SQLite would write that log into it. Nobody can have it open then, so that closing it here drops nobody's lock.
 */
export function identifyUnopened(path: string): void {
  const header = Buffer.alloc(100)
  const file = openSync(path, 'r')
  try {
    readSync(file, header, 0, header.length, 0)
  } finally {
    closeSync(file)
  }
  if (header.toString('latin1', 0, 16) !== 'SQLite format 3\0')
    throw damaged(path, 'it is not a SQLite database')
  if (header.readInt32BE(APPLICATION_ID_AT) !== APPLICATION_ID) throw foreign(path)
}

function foreign(path: string): StoreError {
  return new StoreError(
    'SLOTKEEPER_STORE_FOREIGN',
    `The store ${path} is the SQLite database of another program. It was left as it was; name another file.`,
  )
}

function damaged(path: string, found: string): StoreError {
  return new StoreError(
    'SLOTKEEPER_STORE_CORRUPT',
    `The store ${path} is damaged (${found}). It was left as it was; restore a backup, or move it away with its -wal and -shm files and start with a new one.`,
  )
}
