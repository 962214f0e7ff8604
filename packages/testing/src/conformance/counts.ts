import assert from 'node:assert/strict'
import { audit } from './audit.ts'
import { API, acquire, claim, enqueue, finish, release, remove, requeue, withdraw } from './commands.ts'
import { repo, run } from './lab.ts'
import { Random } from './random.ts'
import type { Rule } from './rule.ts'

export function countRules(rule: Rule): void {
  rule('13. what a repository counts is what its rows are, after every kind of change', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const random = Random.ofTest()
    const [mine, theirs] = [await desk.holder(), await other.holder()]
    for (let step = 0; step < 120; step++) {
      const sender = random.pick([desk, other])
      const name = run(random.below(12))
      const of = { run: name, ticket: sender.ticket() }
      const row = await desk.row(API, name)
      const token = row?.token ?? 0
      const asked = {
        ...of,
        proposal: { limit: 4 },
        holder: random.pick([mine, theirs]),
        priority: random.below(3),
      }
      const commands = [
        () => sender.send(acquire(asked)),
        () => sender.send(acquire({ ...asked, mode: 'wait' })),
        () => sender.send(acquire({ ...asked, mode: 'wait', durable: true })),
        () => sender.send(enqueue(asked)),
        () => sender.send(claim({ ...of, token, holder: asked.holder })),
        () => sender.send(release({ ...of, token })),
        () => sender.send(finish(of)),
        () => sender.send(requeue({ ...of, token, delayMs: random.below(2) * 3_600_000 })),
        () => sender.send(withdraw({ ...of, of: row?.ticket ?? 'none.00000000' })),
        () => sender.send(remove(of)),
      ]
      await random.pick(commands)()
      await random.telling(() => audit(other, API))
    }
    await desk.driver.closeHolder(mine)
    await desk.settle(API)
    await audit(other, API)
    assert.ok(((await desk.repository(API))?.live ?? 0) <= 4)
  })

  rule('13. counts survive the death of holders, parking and adoption', async (lab) => {
    const [mortal, b, desk] = [
      await lab.mortal({ claimTimeoutMs: 50 }),
      await lab.witness(),
      await lab.desk(),
    ]
    const { manager, faults } = mortal
    await Promise.all(
      [1, 2].map((n) => manager.acquireSlot({ repository: repo(4), run: run(n), durable: n === 1 })),
    )
    await manager.queueManager.addListToRunningQueue(repo(4), [3, 4, 5, 6].map(run))
    await audit(desk, API)
    faults.crash()
    await lab.until('its durable slot is orphaned and its worker gone', async () => {
      await desk.settle(API)
      await audit(desk, API)
      return (
        (await b.getCurrentSlots('acme/api')).orphaned === 1 &&
        (await desk.row(API, run(2)))?.phase === 'record'
      )
    })
    await b.adoptSlot({ repository: 'acme/api', run: run(1) })
    await audit(desk, API)
    await lab.until('an unclaimed reservation was parked', async () => {
      await desk.settle(API)
      await audit(desk, API)
      return (await desk.read(API)).runs.some((row) => row.parks > 0)
    })
  })
}
