import assert from 'node:assert/strict'
import type { Decide, RunRow, Section } from '@slotkeeper/core/driver'
import { API, acquire, claim, enqueue, release, removeRepository, watch } from './commands.ts'
import { ask, grantedTo, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'
import { withWallClock } from './wall-clock.ts'

export function tokenRules(rule: Rule): void {
  rule(
    '2. a fencing token grows with every grant, whichever Manager it is granted to, and every grant has a lease of its own',
    async (lab) => {
      const managers = await lab.managers(3)
      let last = 0n
      const leases = new Set<string>()
      for (let n = 0; n < 12; n++) {
        const slot = await grantedTo(managers[n % 3] as (typeof managers)[0], ask(repo(1), n % 2))
        assert.ok(slot.fencingToken > last, `token ${slot.fencingToken} came after ${last}`)
        last = slot.fencingToken
        leases.add(slot.leaseId)
        await slot.release()
      }
      assert.equal(leases.size, 12, 'no lease is given twice')
    },
  )

  rule('2. a fencing token grows with every grant, two grants of one commit included', async (lab) => {
    const desk = await lab.desk()
    const holder = await desk.holder()
    const commands = [1, 2, 3, 4].map((n) =>
      acquire({ run: run(n), ticket: desk.ticket(), holder, mode: 'wait', proposal: { limit: 4 } }),
    )
    const tokens = (await desk.sendAll(commands)).map((outcome) =>
      outcome.kind === 'granted' ? outcome.row.token : 0,
    )
    assert.deepEqual(
      [...new Set(tokens)].sort((a, b) => a - b),
      tokens,
      'in one commit, in their order',
    )
    const stored = (await desk.read(API)).runs.map((row) => row.token).sort((a, b) => a - b)
    assert.deepEqual(stored, tokens, 'the store keeps the tokens that were told')
    assert.equal((await desk.repository(API))?.lastToken, tokens.at(-1))
  })

  rule('2. promotion in the commit of a release gives a higher token than the released one', async (lab) => {
    const [a, b] = await lab.managers(2)
    let slot = await grantedTo(a, ask(repo(1), 'first'))
    for (const waiting of await lab.queue(
      b,
      [1, 2, 3].map((n) => ask(repo(1), n)),
    )) {
      await slot.release()
      const next = await lab.settles('the next is granted', waiting.promise)
      assert.ok(next.fencingToken > slot.fencingToken)
      slot = next
    }
  })

  rule('2. tokens of a repository that was removed and made again go on where they were', async (lab) => {
    const [a, b] = await lab.managers(2)
    let last = 0n
    for (const [n, manager] of [a, b, a].entries()) {
      const slot = await grantedTo(manager, ask(repo(1), n))
      assert.ok(slot.fencingToken > last, `token ${slot.fencingToken} after ${last}`)
      last = slot.fencingToken
      await manager.cleanupRepository('acme/api')
    }
  })

  rule(
    '2. a removal raises the floor of the whole store to the last token of what was removed, in the same commit',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const holder = await desk.holder()
      const ahead = 2 ** 52
      const { decide } = desk
      desk.decide = (section, commands) => decide(withFloor(section, ahead), commands)
      const granted = await desk.send(acquire({ run: run(1), ticket: desk.ticket(), holder }))
      assert.ok(granted.kind === 'granted' && granted.row.token > ahead)
      desk.decide = decide
      await desk.send(removeRepository({ ticket: desk.ticket() }))
      await desk.settle(API)
      assert.equal(await desk.repository(API), undefined, 'the repository is gone')
      let floor: number = 0
      other.decide = seeing(decide, (section) => {
        floor = section.tokenFloor
      })
      for (const domain of ['acme/other', API] as const) {
        await other.send(watch({ repository: domain, ticket: other.ticket(), forMs: 0 }))
        assert.ok(
          floor >= granted.row.token,
          `the floor seen in ${domain} is ${floor}, the removed repository had ${granted.row.token}`,
        )
      }
      const again = await other.send(acquire({ run: run(1), ticket: other.ticket(), holder }))
      assert.ok(again.kind === 'granted' && again.row.token > granted.row.token)
    },
  )

  rule('2. tokens grow although the wall clock of a client is set back or far ahead', async (lab) => {
    const [a, b] = await lab.managers(2)
    let last = 0n
    for (const [n, hours] of [0, -1, 24 * 365, -24, 0].entries())
      await withWallClock(hours * 3_600_000, async () => {
        const slot = await grantedTo(n % 2 === 0 ? a : b, ask(repo(1), n))
        assert.ok(
          slot.fencingToken > last,
          `token ${slot.fencingToken} after ${last}, with the clock ${hours} h off`,
        )
        last = slot.fencingToken
        await slot.release()
      })
  })

  rule('2. tokens are numbers that every language can hold exactly', async (lab) => {
    const desk = await lab.desk()
    const holder = await desk.holder()
    await withWallClock(1000 * 365 * 24 * 3_600_000, async () => {
      const rows: RunRow[] = []
      for (const n of [1, 2]) {
        const outcome = await desk.send(acquire({ run: run(n), ticket: desk.ticket(), holder }))
        assert.ok(outcome.kind === 'granted')
        rows.push(outcome.row)
        await desk.send(release({ run: run(n), ticket: desk.ticket(), token: outcome.row.token }))
      }
      for (const row of rows)
        assert.ok(Number.isSafeInteger(row.token), `${row.token} is beyond the whole numbers`)
      assert.ok((rows[1]?.token ?? 0) > (rows[0]?.token ?? 0))
    })
  })

  rule('2. a reservation has its token from the grant on, and the claim keeps it', async (lab) => {
    const desk = await lab.desk()
    const outcome = await desk.send(enqueue({ run: run(1), ticket: desk.ticket() }))
    assert.ok(outcome.kind === 'granted' && outcome.row.phase === 'reserved')
    const { token } = outcome.row
    const holder = await desk.holder()
    const claimed = await desk.send(claim({ run: run(1), ticket: desk.ticket(), holder, token }))
    assert.equal(claimed.kind, 'running')
    assert.equal((await desk.row(API, run(1)))?.token, token)
  })
}

/** The section, with another floor. */
function withFloor(section: Section, tokenFloor: number): Section {
  return new Proxy(section, {
    get(target, name) {
      if (name === 'tokenFloor') return tokenFloor
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  })
}

/** The same decision, with a look at the section before. */
function seeing(decide: Decide, look: (section: Section) => void): Decide {
  return (section, commands) => {
    look(section)
    return decide(section, commands)
  }
}
