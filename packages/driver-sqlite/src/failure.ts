import { InternalError, isSlotkeeperError, type SlotkeeperError, StoreError } from '@slotkeeper/core/driver'

type StoreCode = ConstructorParameters<typeof StoreError>[0]

/** How SQLite's result codes (https://www.sqlite.org/rescode.html) read here: by primary code, and what to do. */
const MEANINGS: Readonly<Record<string, readonly [code: StoreCode, text: string]>> = {
  BUSY: ['SLOTKEEPER_STORE_BUSY', 'is locked by another process. Find out who keeps it locked.'],
  LOCKED: ['SLOTKEEPER_STORE_BUSY', 'is locked. Find out who keeps it locked.'],
  PROTOCOL: ['SLOTKEEPER_STORE_BUSY', 'is locked by many processes at once.'],
  FULL: ['SLOTKEEPER_STORE_FULL', 'cannot grow: the disk is full. Nothing was written. Free some space.'],
  READONLY: [
    'SLOTKEEPER_STORE_READ_ONLY',
    'cannot be written. Give this process write access to the file and its directory.',
  ],
  CORRUPT: [
    'SLOTKEEPER_STORE_CORRUPT',
    'is damaged. Restore a backup, or move it away with its -wal and -shm files and start with a new one.',
  ],
  NOTADB: ['SLOTKEEPER_STORE_CORRUPT', 'is not a SQLite database. Name another file, or move it away.'],
  CANTOPEN: [
    'SLOTKEEPER_STORE_PERMISSION',
    'cannot be opened. Grant this process access to the file, its directory and the files beside it.',
  ],
  PERM: [
    'SLOTKEEPER_STORE_PERMISSION',
    'refuses this process. Grant it access to the file and its directory.',
  ],
  IOERR: ['SLOTKEEPER_STORE_UNAVAILABLE', 'cannot be read or written: the system reports an error.'],
  NOMEM: ['SLOTKEEPER_STORE_UNAVAILABLE', 'cannot be used: the system has no memory left.'],
}

/** What the system's codes mean where a file beside the store is opened. */
const SYSTEM_CODES: Readonly<Record<string, string>> = {
  EACCES: 'PERM',
  EPERM: 'PERM',
  ENOENT: 'CANTOPEN',
  EROFS: 'READONLY',
  ENOSPC: 'FULL',
  EDQUOT: 'FULL',
  EIO: 'IOERR',
}

/** SQLite's result code of whatever was thrown, without `SQLITE_`; empty for other errors. */
function resultCode(error: unknown): string {
  const code = error instanceof Error ? (error as Error & { code?: unknown }).code : undefined
  if (typeof code !== 'string') return ''
  return code.startsWith('SQLITE_') ? code.slice('SQLITE_'.length) : (SYSTEM_CODES[code] ?? '')
}

/** Whether somebody else holds the lock that was asked for. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error)
  return code.startsWith('BUSY') || code.startsWith('LOCKED') || code === 'PROTOCOL'
}

/** A failure with a code, whatever was thrown while `path` was used. */
export function toFailure(error: unknown, path: string): SlotkeeperError {
  if (isSlotkeeperError(error)) return error
  const code = resultCode(error)
  const primary = code.split('_', 1)[0] as string
  // No room for the index of the write-ahead log is told as an I/O error.
  const meaning = code === 'IOERR_SHMSIZE' ? MEANINGS.FULL : MEANINGS[primary]
  if (meaning !== undefined)
    return new StoreError(
      meaning[0],
      `The store ${path} ${meaning[1]} (${(error as Error & { code: string }).code}: ${(error as Error).message})`,
      error,
    )
  return new InternalError(
    `The store ${path} failed: ${error instanceof Error ? error.message : String(error)}`,
    error,
  )
}
