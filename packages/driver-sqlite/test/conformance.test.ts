import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '@slotkeeper/core/driver'
import { conformance, modelTest } from '@slotkeeper/testing/conformance'
import { afterAll, describe, test } from 'vitest'
import { sqliteDriver } from '../src/index.ts'
import { LONGEST_STEP_MS } from '../src/uptime-clock.ts'

const folder = mkdtempSync(join(tmpdir(), 'slotkeeper-conformance-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

conformance({ test, open: (store) => sqliteDriver({ path: join(folder, `${store}.db`) }) })

describe('processes whose clocks are as far apart as the manifest allows', () => {
  const lagging = (ms: number): Clock => {
    const monotonic = () => systemClock.monotonic() - ms
    return { ...systemClock, monotonic, uptime: monotonic }
  }
  const clocks = [lagging(0), lagging(LONGEST_STEP_MS)]
  let opened = 0
  modelTest({
    test,
    open: (store) =>
      sqliteDriver({
        path: join(folder, `behind-${store}.db`),
        clock: clocks[opened++ % clocks.length] as Clock,
      }),
  })
})
