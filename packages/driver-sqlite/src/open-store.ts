import { realpathSync } from 'node:fs'
import { StoreError } from '@slotkeeper/core/driver'
import type { Database } from 'better-sqlite3'
import { bootId } from './boot.ts'
import { identify, identifyUnopened } from './identity.ts'
import type { Settled } from './options.ts'
import { inspectPlace, sizeOf } from './place.ts'
import { loadBetterSqlite, type OpenDatabase } from './runtime.ts'
import { APPLICATION_ID, SCHEMA, SCHEMA_VERSION } from './schema.ts'
import { Store } from './store.ts'
import type { Turns } from './turns.ts'
import { UptimeClock } from './uptime-clock.ts'

/** Store time begins here, well above the 0 that stands for `never` in rows. */
const FIRST_TIME = 1_000_000
/**
 * The write-ahead log goes back into the file at this length. A page changed often is written there once, so a longer one is less work; but
 * meanwhile nobody can commit, so a longer one is a longer wait for all. Where commits are not synced, this is all that is: seldom, then.
 */
const CHECKPOINT_PAGES = { full: 1000, normal: 4000 } as const
const PAGE_BYTES = 4096
const CACHE_KIB = 32 * 1024

const LATEST_TIME = `SELECT max(latest,
  coalesce((SELECT max(expires_at - ttl_ms) FROM holder), 0),
  coalesce((SELECT max(committed_at) FROM repository), 0),
  coalesce((SELECT max(at) FROM recent), 0)) FROM meta`

/**
 * Opens the file, makes it ours if it is new, and settles which boot its times belong to. A file that cannot be ours is left as it was.
 * @throws StoreError as `identify` and `inspectPlace` say, or `SLOTKEEPER_SCHEMA_MISSING`, `SLOTKEEPER_STORE_BUSY`
 */
export async function openStore(
  options: Settled,
  schema: 'migrate' | 'check',
  turns: Turns,
  signal: AbortSignal | undefined,
): Promise<Store> {
  const { path, clock, synchronous } = options
  const open = await loadBetterSqlite()
  const boot = bootId()
  if (inspectPlace(path) > 0) await turns.take(() => examine(open, path), signal)
  else if (schema === 'check') throw missing(path)

  const uptime = new UptimeClock(clock)
  await uptime.settle()
  const db = open(path, { timeout: options.busyTimeoutMs })
  try {
    // Each of these may find the file locked, preparing a statement included.
    return await turns.take(() => {
      // How a file is made and changed to a log is always on the disk at once.
      db.pragma('synchronous = FULL')
      const base = settle(db, path, schema, boot, uptime)
      db.pragma(`synchronous = ${synchronous}`)
      db.pragma(`cache_size = -${CACHE_KIB}`)
      db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES[synchronous]}`)
      db.pragma(`journal_size_limit = ${CHECKPOINT_PAGES[synchronous] * PAGE_BYTES}`)
      return new Store({ path: realpathSync(path), db, base, uptime, clock })
    }, signal)
  } catch (error) {
    db.close()
    throw error
  }
}

/** Looks whose file it is, so that a stranger's is neither changed nor gets files beside it. */
function examine(open: OpenDatabase, path: string): void {
  // Closing a file with a log as its last user writes the log into it, unless it was open for reading only.
  const readonly = sizeOf(`${path}-wal`) > 0
  if (readonly && sizeOf(`${path}-shm`) === 0) identifyUnopened(path)
  const db = open(path, { readonly, fileMustExist: true, timeout: 0 })
  try {
    identify(db, path)
  } finally {
    db.close()
  }
}

/** Makes the tables where there are none, turns on the write-ahead log, and returns the store time of the machine's start. */
function settle(
  db: Database,
  path: string,
  schema: 'migrate' | 'check',
  boot: string,
  uptime: UptimeClock,
): number {
  // The file's header names us before there is ever a log beside it: `examine` depends on that.
  if (!identify(db, path)) {
    if (schema === 'check') throw missing(path)
    immediately(db, () => {
      // Others may have been quicker.
      if (identify(db, path)) return
      db.exec(SCHEMA)
      db.pragma(`application_id = ${APPLICATION_ID}`)
      db.pragma(`user_version = ${SCHEMA_VERSION}`)
      db.prepare(
        'INSERT INTO meta (one, boot, base, latest, token_floor, settled) VALUES (1, ?, ?, ?, 0, 0)',
      ).run(boot, FIRST_TIME - uptime.now(), FIRST_TIME)
    })
  }
  if (
    db.pragma('journal_mode', { simple: true }) !== 'wal' &&
    db.pragma('journal_mode = WAL', { simple: true }) !== 'wal'
  )
    throw new StoreError(
      'SLOTKEEPER_STORE_PERMISSION',
      `The store ${path} cannot have a write-ahead log. Put it on a local disk.`,
    )
  return baseOf(db, boot) ?? immediately(db, () => baseOf(db, boot) ?? beginBoot(db, boot, uptime))
}

function baseOf(db: Database, boot: string): number | undefined {
  return db.prepare('SELECT base FROM meta WHERE boot = ?').pluck().get(boot) as number | undefined
}

/** The machine was started anew: every holder is dead, and store time goes on from the latest that any of them had seen. */
function beginBoot(db: Database, boot: string, uptime: UptimeClock): number {
  const latest = db.prepare(LATEST_TIME).pluck().get() as number
  const base = latest + 1 - uptime.now()
  db.prepare('UPDATE holder SET dead = 1').run()
  db.prepare('UPDATE meta SET boot = ?, base = ?, latest = ?').run(boot, base, latest + 1)
  return base
}

function immediately<T>(db: Database, work: () => T): T {
  return db.transaction(work).immediate()
}

function missing(path: string): StoreError {
  return new StoreError(
    'SLOTKEEPER_SCHEMA_MISSING',
    `The store ${path} is not set up, and this process may only check it. Open it once with schema: 'migrate'.`,
  )
}
