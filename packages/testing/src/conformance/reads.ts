import assert from 'node:assert/strict'
import type { RepositoryKey, RunRow } from '@slotkeeper/core/driver'
import { API, acquire, enqueue, limit, release, repositoryState, requeue } from './commands.ts'
import { run } from './lab.ts'
import type { Rule } from './rule.ts'

export function readRules(rule: Rule): void {
  rule(
    'reads: by run and by holder they show every commit that was answered before, whoever made it',
    async (lab) => {
      const [desk, other, third] = await lab.desks(3)
      const holder = await desk.holder()
      for (let n = 0; n < 15; n++) {
        const outcome = await desk.send(
          acquire({ run: run(n), ticket: desk.ticket(), holder, proposal: { limit: 0 } }),
        )
        assert.ok(outcome.kind === 'granted')
        for (const reader of [other, third]) {
          assert.equal((await reader.row(API, run(n)))?.token, outcome.row.token)
          const { runs } = await reader.again(() => reader.driver.read({ kind: 'holder', holder }))
          assert.ok(runs.some((row) => row.run === run(n)))
        }
        if (n % 2 === 0) continue
        await other.send(release({ run: run(n), token: outcome.row.token, ticket: other.ticket() }))
        const { runs } = await desk.again(() => desk.driver.read({ kind: 'holder', holder }))
        assert.ok(!runs.some((row) => row.run === run(n)), 'a released slot is not of the holder')
      }
    },
  )

  rule(
    'reads: a repository shows its slots, its entries in order with parked ones among them, a named run and its place',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const first = await desk.send(
        enqueue({ run: run('first'), ticket: desk.ticket(), proposal: { limit: 2 } }),
      )
      assert.ok(first.kind === 'granted')
      await desk.send(enqueue({ run: run('second'), ticket: desk.ticket(), proposal: { limit: 2 } }))
      for (const [n, priority] of [0, 5, 0, -5, 5].entries())
        await desk.send(enqueue({ run: run(n), priority, ticket: desk.ticket(), proposal: { limit: 2 } }))
      await desk.send(repositoryState({ ticket: desk.ticket(), state: 'paused' }))
      await desk.send(
        requeue({ run: run('first'), token: first.row.token, delayMs: 3_600_000, ticket: desk.ticket() }),
      )
      const read = (slots: number, waiting: number, named?: string) =>
        other.again(() =>
          other.driver.read({
            kind: 'repository',
            repository: API,
            slots,
            waiting,
            run: named === undefined ? undefined : run(named),
          }),
        )
      const names = (rows: readonly RunRow[], phase: string) =>
        rows.filter((row) => row.phase === phase).map((row) => row.run)
      const all = await read(100, 100)
      assert.deepEqual(names(all.runs, 'reserved'), [run('second')])
      assert.deepEqual(names(all.runs, 'waiting'), [1, 4, 'first', 0, 2, 3].map(run))
      assert.deepEqual([all.repositories[0]?.waiting, all.repositories[0]?.parked], [6, 1])
      const some = await read(0, 2, '3')
      assert.deepEqual(names(some.runs, 'waiting').sort(), [1, 4, 3].map(run).sort())
      assert.deepEqual(names(some.runs, 'reserved'), [])
      assert.equal(some.place, 5, 'parked ones do not count')
      const none = await read(0, 0)
      assert.deepEqual([none.runs.length, none.repositories.length, none.place], [0, 1, undefined])
      assert.deepEqual((await read(5, 5, 'unheard-of')).place, undefined)
      const missing = await other.read('acme/unheard-of')
      assert.deepEqual([missing.repositories, missing.runs], [[], []])
    },
  )

  rule(
    'reads: by holder they show what runs or waits for it, with the holder, and nothing else',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const [mine, theirs] = [await desk.holder(), await other.holder()]
      for (const [n, holder] of [mine, theirs, mine, theirs].entries())
        for (const repository of ['acme/a', 'acme/b'] as RepositoryKey[])
          await desk.send(
            acquire({
              repository,
              run: run(n),
              ticket: desk.ticket(),
              holder,
              mode: 'wait',
              proposal: { limit: 2 },
            }),
          )
      await desk.send(
        enqueue({ repository: 'acme/a', run: run('listed'), ticket: desk.ticket(), proposal: { limit: 2 } }),
      )
      const { runs, holders, now } = await other.again(() =>
        other.driver.read({ kind: 'holder', holder: mine }),
      )
      const told = runs.map((row) => `${row.repository} ${row.run} ${row.phase}`).sort()
      assert.deepEqual(told, [
        'acme/a acme/run-0 running',
        'acme/a acme/run-2 waiting',
        'acme/b acme/run-0 running',
        'acme/b acme/run-2 waiting',
      ])
      assert.deepEqual(
        holders.map((row) => [row.holder, row.dead, row.epoch, row.expiresAt > now]),
        [[mine, false, 0, true]],
      )
    },
  )

  rule('reads: repositories are listed by key, page after page, each once', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const keys = ['b/x', 'a/y', 'a/x', 'c/z', 'a/xx', 'B/x', 'a-b/c', 'a/é', 'zz/1'] as RepositoryKey[]
    for (const repository of keys)
      await desk.send(limit({ repository, ticket: desk.ticket(), proposal: { limit: 1 } }))
    const page = async (after: string, first: number) => {
      const { repositories } = await other.again(() =>
        other.driver.read({ kind: 'repositories', after, first }),
      )
      return repositories.map((row) => row.repository)
    }
    const seen: string[] = []
    for (let after = ''; ; ) {
      const next = await page(after, 2)
      assert.ok(next.length <= 2)
      seen.push(...next)
      assert.ok(seen.length <= keys.length, `a page began again: ${seen}`)
      const last = next.at(-1)
      if (last === undefined) break
      after = last
    }
    assert.deepEqual([...seen].sort(), [...keys].sort())
    assert.equal(new Set(seen).size, seen.length)
    assert.deepEqual(await page('', 100), seen)
  })
}
