import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Decide, DomainBatch, RepositoryKey, Section } from '@slotkeeper/core/driver'
import { API, acquire, finish, release } from './commands.ts'
import { batchOf } from './desk.ts'
import { run } from './lab.ts'
import type { Rule } from './rule.ts'

/** Rules on what is decided together, and on what one decision leaves to the next. */
export function batchRules(rule: Rule): void {
  rule('batches: many domains in one call are each decided, each by itself', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const holder = await desk.holder()
    const domains = Array.from({ length: 20 }, (_, n) => `acme/repo-${n}` as RepositoryKey)
    const batches = domains.map((repository) =>
      batchOf(
        repository,
        [1, 2].map((n) => acquire({ repository, run: run(n), ticket: desk.ticket(), holder, mode: 'wait' })),
        holder,
      ),
    )
    await sendAll(desk.driver, batches, desk.decide)
    for (const batch of batches)
      assert.deepEqual(
        batch.commands.map((command) => command.outcome?.kind),
        ['granted', 'waiting'],
      )
    for (const domain of domains) {
      const row = await other.repository(domain)
      assert.deepEqual([row?.live, row?.waiting, row?.domain], [1, 1, domain])
    }
  })

  rule(
    'batches: a domain whose decision fails gets the error, changes nothing, and does not hold up the others',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const holder = await desk.holder()
      const domains = ['acme/a', 'acme/b', 'acme/c'] as const
      const batches = domains.map((repository) =>
        batchOf(repository, [acquire({ repository, run: run(1), ticket: desk.ticket(), holder })], holder),
      )
      const wrong = new Error('this domain cannot be decided')
      const late = lab.manifest.scope !== 'process'
      await sendAll(desk.driver, batches, (section, commands) => {
        // A store that changes its rows in place is told before it has changed any.
        if (section.domain === 'acme/b' && !late) throw wrong
        const decision = desk.decide(section, commands)
        if (section.domain === 'acme/b') throw wrong
        return decision
      })
      assert.deepEqual(
        batches.map((batch) => batch.error === undefined && batch.decision !== undefined),
        [true, false, true],
      )
      assert.equal(batches[1]?.decision, undefined)
      assert.equal(batches[1]?.error?.retryable, false, 'it was not tried, and trying again would not help')
      for (const domain of domains)
        assert.equal((await other.row(domain, run(1)))?.phase, domain === 'acme/b' ? undefined : 'running')
      assert.equal(await other.repository('acme/b'), undefined)
    },
  )

  rule('batches: later commands of a batch see what earlier ones did', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const holder = await desk.holder()
    const take = (n: number) => acquire({ run: run(n), ticket: desk.ticket(), holder, mode: 'wait' })
    const outcomes = await desk.sendAll([
      take(1),
      take(2),
      take(3),
      finish({ run: run(1), ticket: desk.ticket() }),
      finish({ run: run(3), ticket: desk.ticket() }),
    ])
    assert.deepEqual(
      outcomes.slice(3).map((outcome) => outcome.kind),
      ['finished', 'finished'],
    )
    assert.equal(outcomes[1]?.kind, 'granted', 'its place came free in the same commit')
    const phases = await Promise.all([1, 2, 3].map(async (n) => (await other.row(API, run(n)))?.phase))
    assert.deepEqual(phases, ['record', 'running', 'record'])
  })

  rule(
    'batches: commands of many drivers on one domain at once are decided one after the other',
    async (lab) => {
      const desks = await lab.desks(6)
      const holders = await Promise.all(desks.map((desk) => desk.holder()))
      for (let round = 0; round < 5; round++) {
        const asked = desks.map((desk, at) =>
          desk.send(
            acquire({
              run: run(`${round}-${at}`),
              ticket: desk.ticket(),
              holder: holders[at] as (typeof holders)[0],
              proposal: { limit: round + 1 },
            }),
          ),
        )
        const granted = (await Promise.all(asked)).filter((outcome) => outcome.kind === 'granted')
        assert.equal(granted.length, 1, `in round ${round} one more slot was free`)
      }
      assert.equal((await desks[0].repository(API))?.live, 5)
    },
  )

  rule('batches: what another driver commits while one decides is not overlooked', async (lab) => {
    const [desk, other] = await lab.desks(2)
    // A synchronous store cannot be changed while it decides.
    if (lab.manifest.synchronous) return
    const [mine, theirs] = [await desk.holder(), await other.holder()]
    for (let round = 0; round < 5; round++) {
      const repository = `acme/repo-${round}` as const
      const rival = acquire({ repository, run: run('theirs'), ticket: other.ticket(), holder: theirs })
      let rivals: Promise<{ kind: string }> | undefined
      const { decide } = desk
      desk.decide = (section, commands) => {
        rivals ??= other.send(rival)
        return decide(section, commands)
      }
      const outcome = await desk.send(
        acquire({ repository, run: run('mine'), ticket: desk.ticket(), holder: mine }),
      )
      desk.decide = decide
      const kinds = [outcome.kind, (await rivals)?.kind].sort()
      assert.deepEqual(kinds, ['granted', 'refused'])
      assert.equal((await desk.repository(repository))?.live, 1)
    }
  })

  rule('batches: a holder closed while a slot is granted to it keeps no slot', async (lab) => {
    const [desk, other] = await lab.desks(2)
    if (lab.manifest.synchronous) return
    const { decide } = desk
    for (let round = 0; round < 5; round++) {
      const repository = `acme/repo-${round}` as const
      const holder = await desk.holder()
      let closing: unknown
      desk.decide = (section, commands) => {
        closing ??= other.driver.closeHolder(holder)
        return decide(section, commands)
      }
      await desk.send(acquire({ repository, run: run(1), ticket: desk.ticket(), holder }))
      desk.decide = decide
      await closing
      await lab.until('no slot of the closed holder is left', async () => {
        await other.tidy()
        await other.transact(repository)
        const row = await other.row(repository, run(1))
        return row === undefined || row.phase === 'record'
      })
    }
  })

  rule(
    'batches: store time and the tokens of a domain do not go back from one driver to the next',
    async (lab) => {
      const desks = await lab.desks(3)
      const holder = await desks[0].holder()
      const seen: { now: number; lastToken: number }[] = []
      let sight: (typeof seen)[0] | undefined
      for (const desk of desks) {
        const { decide } = desk
        desk.decide = (section, commands) => {
          // Of several decisions for one call only the last one stood.
          sight = lookAt(section)
          return decide(section, commands)
        }
      }
      const note = () => {
        assert.ok(sight !== undefined, 'what was sent was decided')
        seen.push(sight)
        sight = undefined
      }
      for (let n = 0; n < 12; n++) {
        const desk = desks[n % 3] as (typeof desks)[0]
        const outcome = await desk.send(acquire({ run: run(n), ticket: desk.ticket(), holder }))
        assert.ok(outcome.kind === 'granted')
        note()
        await desk.send(release({ run: run(n), token: outcome.row.token, ticket: desk.ticket() }))
        note()
      }
      for (const [at, { now, lastToken }] of seen.entries()) {
        const before = seen[at - 1]
        if (before === undefined) continue
        assert.ok(now >= before.now, `store time went from ${before.now} to ${now}`)
        assert.ok(
          lastToken >= before.lastToken,
          `the last token went from ${before.lastToken} to ${lastToken}`,
        )
      }
    },
  )
}

function lookAt(section: Section): { now: number; lastToken: number } {
  return { now: section.now, lastToken: section.repository(API)?.lastToken ?? 0 }
}

/** One call; domains that failed for a reason that passes are sent again. */
async function sendAll(
  driver: { transact: (batch: readonly DomainBatch[], decide: Decide) => void | Promise<void> },
  batches: readonly DomainBatch[],
  decide: Decide,
): Promise<void> {
  const deadline = performance.now() + 20_000
  for (let left = batches; left.length > 0; await sleep(1)) {
    assert.ok(performance.now() < deadline, `A domain failed again and again: ${left[0]?.error}`)
    for (const batch of left) batch.error = undefined
    await driver.transact(left, decide)
    left = left.filter((batch) => batch.error?.retryable === true)
  }
}
