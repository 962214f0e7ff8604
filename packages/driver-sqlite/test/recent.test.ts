import type { RepositoryKey, RunKey } from '@slotkeeper/core/driver'
import { describe, expect, test } from 'vitest'
import {
  acquire,
  ask,
  batchOf,
  decide,
  grantOf,
  newPath,
  openDriver,
  openHolder,
  REPO,
  release,
  Sqlite,
} from './support.ts'

describe('what the newest commits changed goes before the tables', () => {
  test('a commit that only takes or gives back slots is one row, which every other process reads', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    // Its first run makes the repository, which is in its table at once.
    await grantOf(driver, 'acme/0', holder, { proposal: { limit: 10 } })
    const file = new Sqlite(path)
    const count = (table: string) => file.prepare(`SELECT count(*) FROM ${table}`).pluck().get()
    const before = [count('run'), count('recent')]
    const row = await grantOf(driver, 'acme/1', holder, { proposal: { limit: 10 } })
    expect([count('run'), count('recent')]).toEqual([before[0], (before[1] as number) + 1])

    const other = await openDriver(path)
    const held = await other.read({ kind: 'holder', holder })
    expect(held.runs.map(({ run }) => run).sort()).toEqual(['acme/0', 'acme/1'])
    expect(held.repositories).toMatchObject([{ live: 2 }])
    await ask(other, undefined, release(row))
    const seen = await driver.read({
      kind: 'repository',
      repository: REPO,
      slots: 10,
      waiting: 10,
      run: 'acme/1',
    })
    expect(seen.repositories).toMatchObject([{ live: 1, numbers: [1] }])
    expect(seen.runs.map(({ run, phase }) => [run, phase])).toEqual([
      ['acme/0', 'running'],
      ['acme/1', 'record'],
    ])
    file.close()
  })

  test('after many commits it is settled, by whichever process, and nothing is lost or comes twice', async () => {
    const path = newPath()
    const drivers = [await openDriver(path), await openDriver(path)]
    const holders = [await openHolder(drivers[0] as never), await openHolder(drivers[1] as never)]
    const tokens: number[] = []
    for (let i = 0; i < 2600; i++) {
      const turn = i % 7 < 4 ? 0 : 1
      const driver = drivers[turn] as never
      const row = await grantOf(driver, `acme/${i}`, holders[turn] as never, { mode: 'try' })
      tokens.push(row.token)
      await ask(driver, holders[turn], release(row))
    }
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b))
    expect(new Set(tokens).size).toBe(tokens.length)
    const file = new Sqlite(path)
    expect(file.prepare('SELECT count(*) FROM recent').pluck().get()).toBeLessThan(2100)
    expect(file.prepare('SELECT settled FROM meta').pluck().get()).toBeGreaterThan(2000)
    file.close()

    const later = await openDriver(path)
    const runs = Array.from({ length: 2600 }, (_, i) => ({ repository: REPO, run: `acme/${i}` as RunKey }))
    const { runs: rows, repositories } = await later.read({ kind: 'runs', runs })
    expect(rows.length).toBe(2600)
    expect(rows.every((row) => row.phase === 'record' && row.ending === 'released')).toBe(true)
    expect(repositories).toMatchObject([{ live: 0, waiting: 0, numbers: [0], lastToken: tokens.at(-1) }])
  })

  test('a run of which a record is ahead waits again, and is granted in its turn', async () => {
    const driver = await openDriver(newPath())
    const holder = await openHolder(driver)
    await ask(driver, holder, release(await grantOf(driver, 'acme/0', holder)))
    await ask(driver, holder, release(await grantOf(driver, 'acme/1', holder)))
    const held = await grantOf(driver, 'acme/2', holder)
    const again = acquire('acme/1', holder)
    await ask(driver, holder, again)
    expect(again.outcome).toMatchObject({ kind: 'waiting', place: 1 })
    const { runs } = await driver.read({ kind: 'holder', holder })
    expect(runs.map(({ run, phase }) => [run, phase]).sort()).toEqual([
      ['acme/1', 'waiting'],
      ['acme/2', 'running'],
    ])
    const { decision } = await ask(driver, holder, release(held))
    expect(decision?.granted).toMatchObject([{ run: 'acme/1', phase: 'running' }])
  })

  test('a slot that is ahead ends with its holder, in the next decision or by a sweep', async () => {
    for (const sweeps of [false, true]) {
      const driver = await openDriver(newPath())
      const [gone, holder] = [await openHolder(driver), await openHolder(driver)]
      await ask(driver, holder, release(await grantOf(driver, 'acme/0', holder)))
      await grantOf(driver, 'acme/1', gone)
      await driver.closeHolder(gone)
      if (sweeps) expect((await driver.sweep(10)).domains).toEqual([REPO])
      await grantOf(driver, 'acme/2', holder)
      expect((await driver.read({ kind: 'holder', holder: gone })).runs).toEqual([])
    }
  })

  test('a commit that is undone leaves nothing of it behind', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    const limit = { proposal: { limit: 10 } }
    await grantOf(driver, 'acme/0', holder, limit)
    const batch = {
      domain: REPO,
      by: holder,
      commands: [acquire('acme/1', holder, limit)],
      decision: undefined,
      error: undefined,
      events: [],
      done() {},
    }
    const failing: typeof decide = (section, commands) => {
      const decision = decide(section, commands)
      // Nobody has such a holder, so that writing it down fails after the rows were written.
      section.bury('nobody' as never)
      return decision
    }
    await driver.transact([batch], failing)
    expect(batch.error).toBeDefined()
    for (const reader of [driver, await openDriver(path)]) {
      const { runs } = await reader.read({ kind: 'holder', holder })
      expect(runs.map(({ run }) => run)).toEqual(['acme/0'])
    }
  })

  test('a repository that was removed and comes again has none of its records', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    const row = await grantOf(driver, 'acme/1', holder)
    await ask(driver, holder, release(row))
    const gone = { repository: REPO as RepositoryKey, ticket: 'z-remove', uid: undefined, outcome: undefined }
    await ask(driver, holder, { kind: 'remove-repository', ...gone } as never)
    for (let more = true; more; )
      more =
        (
          await ask(driver, holder, {
            kind: 'limit',
            repository: REPO,
            source: 'local',
            proposal: { limit: 1 },
            ticket: 'z-limit',
            outcome: undefined,
          } as never)
        ).decision?.more === true
    const { runs } = await driver.read({ kind: 'runs', runs: [{ repository: REPO, run: 'acme/1' }] })
    expect(runs).toEqual([])
    const again = await grantOf(driver, 'acme/1', holder)
    expect(again.token).toBeGreaterThan(row.token)
  })

  test('what is told by a run of a repository that is gone since is read all the same', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    const other: RepositoryKey = 'acme/web'
    const take = (repository: RepositoryKey, run: RunKey) =>
      acquire(run, holder, { repository, mode: 'try', proposal: { limit: 10 } })
    // The first commits make the repositories; the next one tells of both in one row.
    await ask(driver, holder, take(REPO, 'acme/0'))
    await ask(driver, holder, take(other, 'acme/0'))
    const both = [batchOf([take(REPO, 'acme/1')], holder), batchOf([take(other, 'acme/1')], holder)]
    await driver.transact(both, decide)
    const gone = { repository: REPO, ticket: 'z-remove', uid: undefined, outcome: undefined }
    for (let more = true; more; )
      more =
        (await ask(driver, holder, { kind: 'remove-repository', ...gone } as never)).decision?.more === true
    const file = new Sqlite(path)
    file.prepare('DELETE FROM repository WHERE repository = ?').run(REPO)
    file.close()
    const runs = [{ repository: other, run: 'acme/1' as RunKey }]
    const expected = (await driver.read({ kind: 'runs', runs })).runs
    expect(expected).toMatchObject([{ phase: 'running', holder, state: 'started' }])
    expect((await (await openDriver(path)).read({ kind: 'runs', runs })).runs).toEqual(expected)
  })
})
