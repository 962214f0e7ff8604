import assert from 'node:assert/strict'
import { API, acquire } from './commands.ts'
import { run } from './lab.ts'
import type { Rule } from './rule.ts'

export function sweepRules(rule: Rule): void {
  rule(
    '8. an overdue holder is noticed in every domain where it has rows, and its slots are found by a sweep',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const holder = await desk.holder(lab.ttlMs)
      const domains = Array.from({ length: 8 }, (_, n) => `acme/repo-${n}` as const)
      for (const repository of domains) {
        const outcome = await desk.send(acquire({ repository, run: run(1), ticket: desk.ticket(), holder }))
        // A machine that stalled here lost the holder already; the others are checked all the same.
        if (outcome.kind === 'holder-dead') break
      }
      await lab.until('no slot of it is left', async () => {
        await other.tidy()
        const rows = await Promise.all(domains.map((domain) => other.row(domain, run(1))))
        return rows.every((row) => row === undefined || row.phase === 'record')
      })
      await lab.until('nothing is left to sweep', async () => (await other.tidy()).length === 0)
    },
  )

  rule(
    '8. sweeps claim what they find, so that not everybody does the same work, and never beyond their budget',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const holder = await desk.holder()
      const domains = Array.from({ length: 6 }, (_, n) => `acme/repo-${n}` as const)
      for (const repository of domains)
        await desk.send(acquire({ repository, run: run(1), ticket: desk.ticket(), holder }))
      await desk.driver.closeHolder(holder)
      const found: string[] = []
      await lab.until('all domains are found', async () => {
        const sweeps = await Promise.all([desk, other].map((one) => one.again(() => one.driver.sweep(2))))
        for (const sweep of sweeps) {
          assert.ok(
            sweep.domains.length <= 2,
            `a sweep with a budget of 2 gave ${sweep.domains.length} domains`,
          )
          found.push(...sweep.domains)
        }
        return new Set(found).size === domains.length
      })
      assert.equal(found.length, domains.length, `each domain is claimed once, by one of them: ${found}`)
      for (const domain of found) await other.settle(domain)
      for (const domain of domains) assert.equal((await desk.row(domain, run(1)))?.phase, 'record')
    },
  )

  rule('8. what a sweeper claimed and then died over is found again', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const holder = await desk.holder()
    await desk.send(acquire({ run: run(1), ticket: desk.ticket(), holder }))
    await desk.driver.closeHolder(holder)
    await lab.until('the first one claims it', async () =>
      (await desk.again(() => desk.driver.sweep(8))).domains.includes(API),
    )
    await lab.until('another one gets it after a while', async () =>
      (await other.again(() => other.driver.sweep(8))).domains.includes(API),
    )
  })

  rule('8. a domain that a sweep named shows what is overdue', async (lab) => {
    const desk = await lab.desk()
    const holder = await desk.holder(lab.ttlMs)
    const outcome = await desk.send(acquire({ run: run(1), ticket: desk.ticket(), holder }))
    assert.equal(outcome.kind, 'granted')
    await lab.until('a sweep names the domain', async () =>
      (await desk.again(() => desk.driver.sweep(8))).domains.includes(API),
    )
    await desk.transact(API)
    assert.equal((await desk.row(API, run(1)))?.phase, 'record', 'one decision after the sweep is enough')
  })
}
