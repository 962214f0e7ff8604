import fc from 'fast-check'
import { describe, test } from 'vitest'
import { type Drawn, type Program, program } from './support/program.ts'
import * as rules from './support/rules.ts'
import { type Rule, World } from './support/world.ts'

/** A million takes an hour or so; the default a few seconds. */
const CASES = Number(process.env.SLOTKEEPER_CASES ?? 4000)
const TIMEOUT_MS = 60_000 + CASES * 10

function holds(of: fc.Arbitrary<Program>, cases: number, ...made: readonly (() => Rule)[]): void {
  fc.assert(
    fc.property(of, ({ limits, steps }) =>
      new World(
        made.map((make) => make()),
        limits,
      ).run(steps),
    ),
    { numRuns: Math.max(1, Math.round(cases)), endOnFailure: false },
  )
}

const each: readonly [string, () => Rule, Drawn][] = [
  [
    '1. never more live slots than the limit, whoever asks, in whatever order',
    rules.limitHolds,
    { weights: { limit: 10, release: 20 } },
  ],
  [
    '2. a fencing token is granted once and grows with every grant, over removal and re-creation',
    rules.tokensGrow,
    { weights: { 'remove-repository': 8, release: 20 } },
  ],
  [
    '3. among eligible entries the highest priority goes first, then the lowest sequence; a try passes nobody',
    rules.orderHolds,
    { weights: { requeue: 12, release: 20 } },
  ],
  [
    '3. retrying, parking, adopting and requeueing never move a run',
    rules.placesAreKept,
    { weights: { requeue: 12, claim: 12, adopt: 8 } },
  ],
  [
    '4. one slot is one ticket’s; a wrong, an old or a second lease frees nothing',
    rules.leasesAreKept,
    { weights: { release: 25, claim: 12 } },
  ],
  [
    '4, 12. a command asked again after a lost answer gets the same outcome',
    rules.repetitionsAgree,
    { weights: { withdraw: 10, requeue: 10 } },
  ],
  [
    '5. no run is lost; setting a limit or a state frees and takes nothing',
    rules.nothingIsLost,
    { weights: { 'run-state': 12, limit: 8, withdraw: 10 } },
  ],
  [
    '6. a state never goes backwards within an attempt',
    rules.statesGoForward,
    { weights: { 'run-state': 25, requeue: 10, release: 20 } },
  ],
  [
    '6, 12. a ticket whose entry or slot was ended is not served again, however late it comes',
    rules.endedTicketsStayEnded,
    { weights: { finish: 15, release: 20, claim: 12 } },
  ],
  [
    '8. a dead holder gets nothing; its worker rows end, its durable slots are orphaned',
    rules.holdersAreAlive,
    { weights: { adopt: 10, claim: 12 } },
  ],
  [
    '9. whoever loses a slot to somebody else is told by its next heartbeat',
    rules.losersAreTold,
    { weights: { release: 20, finish: 15, 'adopt-beyond': 8 } },
  ],
  [
    '13. counts and slot numbers are those of the rows',
    rules.countsAreExact,
    { weights: { requeue: 12, 'adopt-beyond': 8, 'remove-repository': 4 } },
  ],
  [
    '14. paused grants nothing new and lets claims through; draining refuses enqueues too',
    rules.pausesHold,
    { weights: { 'repository-state': 15, claim: 12 } },
  ],
  [
    'a commit keeps to its budget, every decided command has its outcome',
    rules.budgetHolds,
    { crowded: true },
  ],
  ['7. what could be done at once is done, or said to be still to do', rules.moreIsSaid, { crowded: true }],
  [
    '7. decided until there is no more, no eligible entry waits while there is room',
    rules.endsComplete,
    { weights: { 'remove-repository': 4, limit: 8 } },
  ],
]

describe('decide', () => {
  test.for(each)('%s', { timeout: TIMEOUT_MS }, ([, rule, drawn]) => {
    holds(program(drawn), CASES / 40, rule)
  })

  test('all rules together', { timeout: TIMEOUT_MS }, () => {
    holds(program({ steps: 30 }), CASES / 4, ...Object.values(rules))
  })

  test('all rules together, in a crowd', { timeout: TIMEOUT_MS }, () => {
    holds(program({ crowded: true }), CASES / 4, ...Object.values(rules))
  })
})
