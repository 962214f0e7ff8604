import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { StoreFaults } from '@slotkeeper/testing/torture'
import { fillUp, mountSmallDisk } from '../../../../scripts/small-disk.mjs'
import { cleanUp, directory, Sqlite } from '../support.ts'

/** A directory on a small disk of its own where this process may mount one; tells whether it is. */
export function smallDisk(): { readonly folder: string; readonly isSmall: boolean } {
  const folder = directory()
  const unmount = mountSmallDisk(folder, { megabytes: 64 })
  if (unmount !== undefined) cleanUp(unmount)
  return { folder, isSmall: unmount !== undefined }
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
