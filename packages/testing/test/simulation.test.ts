import assert from 'node:assert/strict'
import type { Driver, Section } from '@slotkeeper/core/driver'
import { test } from 'vitest'
import { Coverage, SimulationError, simulate } from '../src/simulation.ts'

/** How many seeds; `SLOTKEEPER_SEEDS=1000000` for a long night. */
const SEEDS = Number(process.env.SLOTKEEPER_SEEDS ?? 2000)
/** The first of them; with `SLOTKEEPER_SEED` this one, and only this one where no number is given. */
const FIRST = process.env.SLOTKEEPER_SEED
/** Below so many seeds nobody can expect that everything was met. */
const ENOUGH_SEEDS = 2000

test(
  'no seed breaks a rule, and every fault meets every call',
  async () => {
    const coverage = new Coverage()
    const from = Number(FIRST ?? 0)
    const to = from + (FIRST !== undefined && process.env.SLOTKEEPER_SEEDS === undefined ? 1 : SEEDS)
    const began = performance.now()
    let bodies = 0
    for (let seed = from; seed < to; seed++) {
      const simulated = await simulate({ seed })
      coverage.merge(simulated.coverage)
      bodies += simulated.bodies
      // The event loop turns: nothing of the simulation waits for it, but whoever runs this test may.
      if (seed % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const rate = (to - from) / ((performance.now() - began) / 1000)
    console.log(
      `${to - from} seeds, ${rate.toFixed(0)} a second, ${bodies} bodies. ${coverage.line}\n${coverage.table}`,
    )
    if (to - from >= ENOUGH_SEEDS) assert.deepEqual(coverage.missing, [])
  },
  120_000 * Math.max(1, SEEDS / 2000),
)

test('the same seed replays to the byte', async () => {
  for (const seed of [3, 14, 15, 92, 65]) {
    const first = await simulate({ seed, trace: true })
    const second = await simulate({ seed, trace: true })
    assert.ok(first.history.length > 20, `seed ${seed} tells nothing`)
    assert.equal(first.history.join('\n'), second.history.join('\n'))
    assert.equal(first.coverage.table, second.coverage.table)
  }
})

test('a broken rule is told with its number, the seed, and the fewest steps that break it', async () => {
  const error = await firstError(overAdmitting)
  assert.equal(error.broken.rule, 1)
  assert.match(error.message, new RegExp(`SLOTKEEPER_SEED=${error.seed}`))
  const again = await simulate({ seed: error.seed, alter: overAdmitting }).catch((cause: unknown) => cause)
  assert.ok(again instanceof SimulationError)
  assert.equal(again.message, error.message)
  const steps = error.message.split('\n').filter((line) => line.startsWith('  {'))
  assert.ok(steps.length < 12, `${steps.length} steps are not few`)
})

async function firstError(alter: (driver: Driver) => Driver): Promise<SimulationError> {
  for (let seed = 0; seed < 50; seed++)
    try {
      await simulate({ seed, alter })
    } catch (error) {
      if (error instanceof SimulationError) return error
      throw error
    }
  return assert.fail('50 seeds found nothing')
}

/** Has one slot more than the limit in every repository. */
function overAdmitting(driver: Driver): Driver {
  const transact: Driver['transact'] = (batch, decide, signal) =>
    driver.transact(batch, (section, commands) => shifted(section, () => decide(section, commands)), signal)
  return new Proxy(driver, {
    get(target, name) {
      if (name === 'transact') return transact
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function shifted<T>(section: Section, decide: () => T): T {
  const repositories = [...section.repositories]
  for (const repository of repositories) repository.live--
  try {
    return decide()
  } finally {
    for (const repository of repositories) repository.live++
  }
}
