import assert from 'node:assert/strict'
import type { Decide } from '@slotkeeper/core/driver'
import { API, enqueue, limit, repositoryState } from './commands.ts'
import { run } from './lab.ts'
import type { Rule } from './rule.ts'

export function budgetRules(rule: Rule): void {
  rule(
    'batches: what does not fit one commit goes on in the next ones, by anybody, and no commit exceeds the budget',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const { budget } = lab.manifest
      assert.ok(budget >= 16, `a budget of ${budget} is less than 16`)
      const count = Math.floor(budget * 1.25) + 8
      const left: number[] = []
      const { decide } = desk
      const measured: Decide = (section, commands) => {
        assert.equal(section.left, budget, 'a section begins with the whole budget')
        const decision = decide(section, commands)
        left.push(section.left)
        return decision
      }
      desk.decide = other.decide = measured
      const paused = repositoryState({ ticket: desk.ticket(), state: 'paused' })
      const runs = Array.from({ length: count }, (_, n) =>
        enqueue({ run: run(n), ticket: desk.ticket(), priority: n % 3 }),
      )
      await desk.sendAll([paused, ...runs])
      assert.equal((await other.repository(API))?.waiting, count)
      const opened = await desk.transact(API, [
        limit({ ticket: desk.ticket(), proposal: { limit: 0 } }),
        repositoryState({ ticket: desk.ticket(), state: 'active' }),
      ])
      assert.equal(opened.decision?.more, true, 'it says that there is more to do')
      const first = (await other.repository(API))?.live ?? 0
      assert.ok(first > 0 && first < count, `${first} of ${count} in the first commit`)
      await lab.until('a sweep finds the backlog, and all are granted', async () => {
        await other.tidy()
        return (await other.repository(API))?.live === count
      })
      assert.ok(Math.min(...left) >= 0, `a commit changed ${-Math.min(...left)} rows more than the budget`)
      const { runs: rows } = await other.read(API)
      const byToken = [...rows].sort((a, b) => a.token - b.token)
      for (const [at, row] of byToken.entries()) {
        const before = byToken[at - 1]
        assert.ok(
          before === undefined ||
            before.priority > row.priority ||
            (before.priority === row.priority && before.sequence < row.sequence),
          'in order',
        )
      }
      assert.deepEqual((await other.transact(API)).decision?.more, false)
    },
  )
}
