import assert from 'node:assert/strict'
import type { Command } from '@slotkeeper/core/driver'
import { audit } from './audit.ts'
import { API, acquire, claim, enqueue, finish, release, remove, requeue, withdraw } from './commands.ts'
import { repo, run } from './lab.ts'
import { Random } from './random.ts'
import type { Rule } from './rule.ts'

/** What must have happened before a walk may end: what was asked, of a row in which phase, with which outcome. */
const CHANGES = [
  'acquire record granted',
  'acquire record waiting',
  'acquire reserved granted',
  'claim reserved running',
  'requeue running requeued',
  'release running released',
  'release reserved released',
  'finish running finished',
  'finish reserved finished',
  'finish waiting finished',
  'remove waiting removed',
  'withdraw running withdrawn',
  'withdraw reserved withdrawn',
  'withdraw waiting withdrawn',
]

/** A walk in which one of them does not come about ends here: the driver does not do what was asked. */
const LONGEST_WALK = 5000

/** Rule 13: what a repository says of itself agrees with its rows, whatever was asked in whatever order, and whoever dies. */
export function countRules(rule: Rule): void {
  rule('13. what a repository counts is what its rows are, after every kind of change', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const random = Random.ofTest()
    const [mine, theirs] = [await desk.holder(), await other.holder()]
    const left = new Set(CHANGES)
    for (let step = 0; step < 120 || left.size > 0; step++) {
      assert.ok(step < LONGEST_WALK, `After ${step} steps there was none of: ${[...left].join('; ')}`)
      const sender = random.pick([desk, other])
      const name = run(random.below(9))
      const of = { run: name, ticket: sender.ticket() }
      const row = await desk.row(API, name)
      const token = row?.token ?? 0
      const asked = {
        ...of,
        proposal: { limit: 4 },
        holder: random.pick([mine, theirs]),
        priority: random.below(3),
      }
      const commands: readonly (() => Command)[] = [
        () => acquire(asked),
        () => acquire({ ...asked, mode: 'wait' }),
        () => acquire({ ...asked, mode: 'wait', durable: true }),
        () => enqueue(asked),
        () => claim({ ...of, token, holder: asked.holder }),
        () => release({ ...of, token }),
        () => finish(of),
        () => requeue({ ...of, token, delayMs: random.below(2) * 3_600_000 }),
        () => withdraw({ ...of, of: row?.ticket ?? 'none.00000000' }),
        () => remove(of),
      ]
      const command = random.pick(commands)()
      const outcome = await sender.send(command)
      left.delete(`${command.kind} ${row?.phase ?? 'none'} ${outcome?.kind}`)
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
