import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { StoreFaults } from '@slotkeeper/testing/torture'
import { cleanUp, directory, Sqlite } from '../support.ts'

const MEGABYTE = Buffer.alloc(2 ** 20)

/** A directory on a small disk of its own where this process may mount one; tells whether it is. */
export function smallDisk(): { readonly folder: string; readonly isSmall: boolean } {
  const folder = directory()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return { folder, isSmall: false }
  }
  cleanUp(() => {
    execFileSync('umount', ['-l', folder])
  })
  return { folder, isSmall: true }
}

/** What may happen to a SQLite file. `isSmall`: its disk may be filled up. */
export function storeFaults(path: string, isSmall: boolean): StoreFaults {
  const filler = join(dirname(path), 'filler')
  return {
    /** `BEGIN IMMEDIATE` by another program. */
    async lockFor(ms) {
      const stranger = new Sqlite(path, { timeout: 0 })
      try {
        await turn(() => stranger.exec('BEGIN IMMEDIATE'))
        await sleep(ms)
        stranger.exec('COMMIT')
      } finally {
        stranger.close()
      }
    },
    ...(isSmall && {
      /** Every write needs room from now on: the log, which would be written over, begins anew at no length. */
      fill() {
        const stranger = new Sqlite(path, { timeout: 50 })
        stranger.pragma('wal_checkpoint(TRUNCATE)')
        stranger.close()
        fillUp(filler)
      },
      unfill: () => rmSync(filler, { force: true }),
    }),
  }
}

function fillUp(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (let size = MEGABYTE.length; size >= 512; size /= 2)
      try {
        for (;;) writeSync(file, MEGABYTE, 0, size)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
  } finally {
    closeSync(file)
  }
}

/** Tries until the lock is free for a moment. */
async function turn(work: () => void): Promise<void> {
  for (;;)
    try {
      return work()
    } catch (error) {
      if ((error as { code?: string }).code?.startsWith('SQLITE_BUSY') !== true) throw error
      await sleep(1)
    }
}
