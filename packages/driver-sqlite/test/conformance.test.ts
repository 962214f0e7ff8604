import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { conformance } from '@slotkeeper/testing/conformance'
import { afterAll, test } from 'vitest'
import { sqliteDriver } from '../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'slotkeeper-conformance-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

conformance({ test, open: (store) => sqliteDriver({ path: join(folder, `${store}.db`) }) })
