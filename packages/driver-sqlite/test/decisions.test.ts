import {
  type Decide,
  type DomainBatch,
  InternalError,
  type LimitCommand,
  type RemoveRepositoryCommand,
  type RepositoryKey,
  type RunKey,
  systemClock,
} from '@slotkeeper/core/driver'
import { describe, expect, test } from 'vitest'
import {
  acquire,
  ask,
  batchOf,
  decide,
  grantOf,
  newPath,
  newTicket,
  openDriver,
  openHolder,
  REPO,
  release,
  Sqlite,
  tryFor,
} from './support.ts'

describe('a decision', () => {
  test('two drivers on one file share the limit', async () => {
    const path = newPath()
    const [one, other] = [await openDriver(path), await openDriver(path)]
    const [a, b] = [await openHolder(one), await openHolder(other)]
    const first = await grantOf(one, 'acme/1', a)
    expect(await tryFor(other, 'acme/2', b, { mode: 'try' })).toMatchObject({
      kind: 'refused',
      reason: 'limit',
    })
    expect(await tryFor(other, 'acme/2', b)).toMatchObject({ kind: 'waiting', place: 1 })
    const ended = release(first)
    const batch = await ask(one, a, ended)
    expect(ended.outcome).toMatchObject({ kind: 'released', promoted: ['acme/2'] })
    expect(batch.events.map((event) => event.kind)).toEqual(['released', 'granted'])
    const { runs } = await other.read({ kind: 'holder', holder: b })
    expect(runs).toMatchObject([
      { run: 'acme/2', phase: 'running', number: 1, durable: false, meta: undefined },
    ])
    expect((runs[0]?.token ?? 0) > first.token).toBe(true)
  })

  test('a row comes back exactly as it was decided', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    const more = {
      priority: -2.5,
      runUid: 'uid-1',
      maxHoldMs: 60_000,
      meta: { ['__proto__']: 'x', ключ: "%_'; drop" },
      proposal: { limit: 3, uid: 'u', generation: 7 },
    }
    const row = await grantOf(driver, 'acme/1', holder, more)
    const other = await openDriver(path)
    const { runs, repositories } = await other.read({ kind: 'runs', runs: [row] })
    expect(runs).toEqual([row])
    expect(repositories).toMatchObject([
      { local: { limit: 3, uid: 'u', generation: 7 }, live: 1, numbers: [1], removedUids: [] },
    ])
    await ask(other, holder, release(row))
    const { runs: after } = await driver.read({ kind: 'runs', runs: [row] })
    expect(after).toMatchObject([
      { phase: 'record', ending: 'released', state: 'completed', meta: more.meta, priority: -2.5 },
    ])
  })

  test('keys that look like something else stay apart and are kept to the byte', async () => {
    const driver = await openDriver(newPath())
    const holder = await openHolder(driver)
    const keys = [
      'a/b',
      'A/b',
      'a/b ',
      'a/%',
      'a/_',
      "a/'; DROP TABLE run; --",
      '__proto__/constructor',
      '../..',
      '\u00e9/\u00e9',
      'e\u0301/e\u0301',
      '\u{1f600}/\u{10ffff}',
    ]
    for (const key of keys) await grantOf(driver, key as RunKey, holder, { repository: key as RepositoryKey })
    const { repositories } = await driver.read({ kind: 'repositories', after: '', first: 100 })
    expect(repositories.map((row) => row.repository).sort()).toEqual([...keys].sort())
    expect(repositories.every((row) => row.live === 1)).toBe(true)
  })

  test('domains of one batch are decided in one commit', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    const watcher = new Sqlite(path)
    const version = () => watcher.pragma('data_version', { simple: true }) as number
    const before = version()
    const batches = Array.from({ length: 20 }, (_, i) =>
      batchOf([acquire('acme/1', holder, { repository: `acme/repo-${i}` })], holder),
    )
    await driver.transact(batches, decide)
    expect(batches.map((batch) => batch.error)).toEqual(batches.map(() => undefined))
    expect(version()).toBe(before + 1)
    watcher.close()
  })

  test('a failing domain fails alone, and leaves nothing behind', async () => {
    const driver = await openDriver(newPath())
    const holder = await openHolder(driver)
    const failing: Decide = (section, commands) => {
      const decision = decide(section, commands)
      if (section.domain === 'acme/bad') throw new InternalError('no')
      return decision
    }
    const batches = ['acme/good', 'acme/bad', 'acme/fine'].map((repository) =>
      batchOf([acquire('acme/1', holder, { repository: repository as RepositoryKey })], holder),
    )
    await driver.transact(batches, failing)
    expect(batches.map((batch) => batch.error?.code)).toEqual([undefined, 'SLOTKEEPER_INTERNAL', undefined])
    expect(batches.map((batch) => batch.decision === undefined)).toEqual([false, true, false])
    expect((batches[1] as DomainBatch).events).toEqual([])
    const { repositories } = await driver.read({ kind: 'repositories', after: '', first: 10 })
    expect(repositories.map((row) => row.repository)).toEqual(['acme/fine', 'acme/good'])
    // What the failed decision had changed in memory is forgotten too.
    expect(await tryFor(driver, 'acme/1', holder, { repository: 'acme/bad' })).toMatchObject({
      kind: 'granted',
      again: false,
    })
  })

  test('a decision that changes nothing writes nothing', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    await grantOf(driver, 'acme/1', holder)
    const watcher = new Sqlite(path)
    const before = watcher.pragma('data_version', { simple: true })
    await tryFor(driver, 'acme/2', holder, { mode: 'try' })
    expect(watcher.pragma('data_version', { simple: true })).toBe(before)
    watcher.close()
  })

  test('what another process changed is seen by the next decision', async () => {
    const path = newPath()
    const [one, other] = [await openDriver(path), await openDriver(path)]
    const holder = await openHolder(one)
    for (let i = 0; i < 20; i++) {
      const [here, there] = i % 2 === 0 ? [one, other] : [other, one]
      const row = await grantOf(here, `acme/${i}`, holder)
      expect(await tryFor(there, `acme/x${i}`, holder, { mode: 'try' })).toMatchObject({ reason: 'limit' })
      await ask(there, holder, release(row))
      expect(await tryFor(here, `acme/${i}`, holder, { mode: 'try', ticket: row.ticket })).toMatchObject({
        reason: 'finished',
      })
    }
  })

  test('the order is priority, then sequence, through more entries than one window shows', async () => {
    const driver = await openDriver(newPath())
    const holder = await openHolder(driver)
    const none: LimitCommand = {
      kind: 'limit',
      repository: REPO,
      source: 'global',
      proposal: { limit: 1 },
      ticket: newTicket(),
      outcome: undefined,
    }
    await ask(driver, holder, none)
    await grantOf(driver, 'acme/first', holder, { proposal: { limit: null } })
    const runs = Array.from({ length: 700 }, (_, i) => ({ run: `acme/r${i}` as RunKey, priority: i % 3 }))
    for (let i = 0; i < runs.length; i += 100)
      await ask(
        driver,
        holder,
        ...runs
          .slice(i, i + 100)
          .map(({ run, priority }) => acquire(run, holder, { priority, proposal: { limit: null } })),
      )
    const { place, runs: shown } = await driver.read({
      kind: 'repository',
      repository: REPO,
      slots: 10,
      waiting: 5,
      run: 'acme/r699',
    })
    expect(place).toBe(700)
    expect(shown.map((row) => row.run)).toEqual([
      'acme/first',
      'acme/r2',
      'acme/r5',
      'acme/r8',
      'acme/r11',
      'acme/r14',
      'acme/r699',
    ])
    const raise: LimitCommand = {
      ...none,
      proposal: { limit: 1000 },
      ticket: newTicket(),
      outcome: undefined,
    }
    const granted: RunKey[] = []
    let batch = await ask(driver, holder, raise)
    granted.push(...(batch.decision?.granted ?? []).map((row) => row.run))
    while (batch.decision?.more) {
      batch = batchOf([], holder)
      await driver.transact([batch], decide)
      granted.push(...(batch.decision?.granted ?? []).map((row) => row.run))
    }
    const expected = [2, 1, 0].flatMap((priority) =>
      runs.filter((entry) => entry.priority === priority).map((entry) => entry.run),
    )
    expect(granted).toEqual(expected)
  })

  test('a place far back is told as at least', async () => {
    const driver = await openDriver(newPath())
    const holder = await openHolder(driver)
    await grantOf(driver, 'acme/first', holder)
    for (let i = 0; i < 1100; i += 100)
      await ask(driver, holder, ...Array.from({ length: 100 }, (_, k) => acquire(`acme/r${i + k}`, holder)))
    const place = async (run: RunKey) =>
      (await driver.read({ kind: 'repository', repository: REPO, slots: 0, waiting: 0, run })).place
    expect(await place('acme/r0')).toBe(1)
    expect(await place('acme/r999')).toBe(1000)
    expect(await place('acme/r1000')).toEqual({ atLeast: 1001 })
    expect(await place('acme/r1099')).toEqual({ atLeast: 1001 })
  })

  test('tokens grow over the removal of a repository, with the clock set back', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    const row = await grantOf(driver, 'acme/1', holder)
    const remove = (): RemoveRepositoryCommand => ({
      kind: 'remove-repository',
      repository: REPO,
      uid: undefined,
      ticket: newTicket(),
      outcome: undefined,
    })
    await ask(driver, holder, release(row))
    let command = remove()
    await ask(driver, holder, command)
    while (command.outcome?.kind === 'removed') {
      command = remove()
      await ask(driver, holder, command)
    }
    expect((await driver.read({ kind: 'repositories', after: '', first: 10 })).repositories).toEqual([])
    const other = await openDriver(path, { clock: { ...systemClock, wall: () => 0 } })
    const again = await grantOf(other, 'acme/1', holder)
    expect(again.token).toBeGreaterThan(row.token)
  })
})
