import type { Manager } from '@slotkeeper/core'
import { ask, type Lab, repo, run } from './lab.ts'
import { Race } from './race.ts'
import { Random } from './random.ts'
import type { Rule } from './rule.ts'

/** How many workers of each Manager want slots at once, and how many wishes each has. */
const WORKERS = 4
const WISHES = 8

/** Rules on Managers that race each other, also while processes die. */
export function raceRules(rule: Rule): void {
  rule(
    '1 to 5. many Managers race: no limit is exceeded, no token or lease given twice, nobody passed, nobody lost',
    async (lab) => {
      const race = new Race(lab, Random.ofTest())
      await raceOf(lab, race, await lab.managers(4))
    },
  )

  rule('1 to 5. the same while the limit changes', async (lab) => {
    const race = new Race(lab, Random.ofTest())
    const changer = await lab.manager()
    await raceOf(lab, race, await lab.managers(3), async () => {
      for (const limit of [5, 1, 4, 2, 6]) await race.setLimit(changer, limit)
    })
  })

  rule('1 to 5 and 12. the same while answers are lost', async (lab) => {
    const race = new Race(lab, Random.ofTest())
    const faulty = [await lab.faulty({ callTimeoutMs: 5000 }), await lab.faulty({ callTimeoutMs: 5000 })]
    const managers = [...faulty.map((one) => one.manager), await lab.manager()]
    await raceOf(lab, race, managers, async (isOver) => {
      while (!isOver()) {
        const { faults } = race.random.pick(faulty)
        faults.loseAnswers({ calls: ['transact'], times: 1 })
        await lab.until(
          'another call was made',
          (
            (before) => () =>
              isOver() || faults.called.transact > before + 2
          )(faults.called.transact),
        )
      }
    })
  })

  rule('1 to 5 and 8. the same while processes die', async (lab) => {
    const race = new Race(lab, Random.ofTest())
    const mortals = [await lab.mortal(), await lab.mortal()]
    const [steady, control] = [await lab.witness(), await lab.manager()]
    await race.begin(control)
    const racers = [...mortals.map((one) => race.racer(one.manager, true)), race.racer(steady)]
    const observed = race.observe(control)
    const controlled = race.control(race.racer(control))
    const working = racers.map((racer) =>
      Promise.all(Array.from({ length: WORKERS }, () => race.work(racer, WISHES))),
    )
    const over = new Set<number>()
    for (const [at, work] of working.entries())
      work.then(
        () => over.add(at),
        () => over.add(at),
      )
    for (const [at, { faults }] of mortals.entries()) {
      await lab.until(
        'it has done something, or all that it had to do',
        () => faults.called.transact > 4 * (at + 1) || over.has(at),
      )
      faults.crash()
      race.crash(racers[at] as (typeof racers)[0])
    }
    await lab.settles(
      'those who live come to an end',
      Promise.all(working.slice(mortals.length)).then(() => undefined),
    )
    await ends(lab, race, [observed, controlled])
  })

  rule('4. many who ask for the same run at once lead to one slot, and one of them has it', async (lab) => {
    const managers = await lab.managers(5)
    for (let round = 0; round < 10; round++) {
      const outcomes = await Promise.all(
        managers.flatMap((manager) => [
          manager.acquireSlot(ask(repo(3), round)),
          manager.acquireSlot(ask(repo(3), round)),
        ]),
      )
      const leases = new Set(
        outcomes.flatMap((outcome) => (outcome.kind === 'granted' ? [outcome.slot.leaseId] : [])),
      )
      if (leases.size !== 1) throw new Error(`${leases.size} leases for ${run(round)}`)
      for (const outcome of outcomes) if (outcome.kind === 'granted') await outcome.slot.release()
    }
  })
}

async function raceOf(
  lab: Lab,
  race: Race,
  managers: readonly Manager[],
  meanwhile?: (isOver: () => boolean) => Promise<void>,
): Promise<void> {
  const control = await lab.manager()
  await race.begin(control)
  let over = false
  const observed = race.observe(control)
  const controlled = race.control(race.racer(control))
  const also = meanwhile?.(() => over)
  const racers = managers.map((manager) => race.racer(manager))
  const working = racers.flatMap((racer) => Array.from({ length: WORKERS }, () => race.work(racer, WISHES)))
  await race.random.telling(() => lab.settles('all have worked', Promise.all(working)))
  over = true
  await also
  await ends(lab, race, [observed, controlled])
}

async function ends(lab: Lab, race: Race, others: readonly Promise<void>[]): Promise<void> {
  race.finish()
  await race.random.telling(() => lab.settles('what was enqueued is over', Promise.all(others)))
  await race.verdict()
}
