import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { judgeTorture, torture } from '@slotkeeper/testing/torture'
import { expect, test } from 'vitest'
import { directory } from '../support.ts'
import { DOCTORS } from './doctor.ts'
import { smallDisk, storeFaults } from './store-faults.ts'

/** The workers run the packages' sources, as the tests do. */
const EXEC_ARGV = ['--import', join(import.meta.dirname, '..', '..', '..', '..', 'scripts', 'sources.mjs')]

const SECONDS = Number(process.env.SLOTKEEPER_TORTURE_SECONDS ?? 15)

test(
  'tortured processes on one file keep every rule, and the judge would have convicted them',
  async () => {
    const { folder, isSmall } = smallDisk()
    const store = join(folder, 'slots.db')
    const report = await torture({
      module: join(import.meta.dirname, 'open-driver.ts'),
      store,
      seconds: SECONDS,
      faults: storeFaults(store, isSmall),
      execArgv: EXEC_ARGV,
    })
    const { figures } = report
    console.log(`torture: ${JSON.stringify({ seed: report.seed, ...figures })}`)
    expect(figures.grants).toBeGreaterThan(100)
    for (const kind of ['kill', 'stop', 'block', 'limit', 'lock'] as const)
      expect(figures.faults[kind], kind).toBeGreaterThan(0)
    if (isSmall) expect(figures.faults.full).toBeGreaterThan(0)
    expect(figures.slotsHit).toBeGreaterThan(0)
    for (const [told, [rule, doctor]] of Object.entries(DOCTORS)) {
      const { lines, writes } = doctor(report)
      const convicted = judgeTorture(lines, writes).map((violation) => violation.rule)
      expect(convicted, told).toContain(rule)
    }
  },
  SECONDS * 1000 + 240_000,
)

test('a worker that dies by itself fails the torture with its seed; the log is left and nothing else', async () => {
  const folder = directory()
  const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith('slotkeeper-torture-'))
  const before = left()
  const failure: Error = await torture({
    module: join(import.meta.dirname, 'open-in-one-process.ts'),
    store: join(folder, 'slots.db'),
    seed: 7,
    seconds: 1,
    execArgv: EXEC_ARGV,
  }).then(
    () => new Error('it passed'),
    (error) => error,
  )
  expect(failure.message).toContain('SLOTKEEPER_SEED=7')
  expect(failure.message).toContain('died by itself')
  expect(failure.message).toContain('only one process')
  const log = /kept in (\S+)/.exec(failure.message)?.[1] as string
  expect(readFileSync(log, 'utf8')).toContain('limit-answered')
  rmSync(log)
  expect(left().filter((name) => !before.includes(name))).toEqual([])
})
