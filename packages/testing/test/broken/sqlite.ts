import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Driver } from '@slotkeeper/core/driver'
import { sqliteDriver } from '@slotkeeper/driver-sqlite'
import { afterAll } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'slotkeeper-broken-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Rules of stores that many processes share are broken on this one. */
export const sqlite = (store: string): Driver => sqliteDriver({ path: join(folder, `${store}.db`) })
