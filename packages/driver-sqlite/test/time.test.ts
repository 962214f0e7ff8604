import type { Command, Decide, RunRef } from '@slotkeeper/core/driver'
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
  Sqlite,
  TestClock,
  tryFor,
} from './support.ts'

const HOUR = 3_600_000

describe('store time', () => {
  test('a wall clock set an hour back or forward changes no decision', async () => {
    const path = newPath()
    const clock = new TestClock()
    const driver = await openDriver(path, { clock })
    const holder = await openHolder(driver, 30_000)
    const rows = [await grantOf(driver, 'acme/0', holder, { proposal: { limit: 3 } })]
    for (const [i, step] of [HOUR, -2 * HOUR].entries()) {
      clock.wallMs += step
      const term = await driver.heartbeat(holder)
      expect(term.sweep).toBe(false)
      rows.push(await grantOf(driver, `acme/${i + 1}`, holder, { proposal: { limit: 3 } }))
      expect((await driver.sweep(10)).domains).toEqual([])
    }
    const tokens = rows.map((row) => row.token)
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b))
    expect(new Set(tokens).size).toBe(3)
    expect((await driver.read({ kind: 'holder', holder })).runs.map((row) => row.phase)).toEqual([
      'running',
      'running',
      'running',
    ])
  })

  test('a wall clock far ahead does not use up the tokens', async () => {
    const clock = new TestClock()
    const driver = await openDriver(newPath(), { clock })
    const holder = await openHolder(driver)
    clock.wallMs = 2 ** 53 / 1000
    const row = await grantOf(driver, 'acme/1', holder)
    expect(row.token).toBe(1)
    expect(Number.isSafeInteger(row.token)).toBe(true)
  })

  test('it counts the time for which the machine was suspended', async () => {
    const clock = new TestClock()
    const driver = await openDriver(newPath(), { clock })
    const holder = await openHolder(driver, 30_000)
    clock.uptimeMs += 31_000
    clock.wallMs += 31_000
    await expect(driver.heartbeat(holder)).rejects.toMatchObject({ code: 'SLOTKEEPER_HOLDER_LOST' })
  })

  test('it never goes back, whoever of several processes tells it', async () => {
    const path = newPath()
    const [ahead, behind] = [new TestClock(), new TestClock()]
    ahead.uptimeMs += 9
    const [one, other] = [await openDriver(path, { clock: ahead }), await openDriver(path, { clock: behind })]
    const holder = await openHolder(one)
    const row = await grantOf(one, 'acme/1', holder, { maxHoldMs: 60_000 })
    const again = await grantOf(other, 'acme/2', holder, { maxHoldMs: 60_000, proposal: { limit: 2 } })
    expect(again.dueAt).toBe(row.dueAt)
  })

  test('after another start of the machine it goes on, and every holder is dead', async () => {
    const path = newPath()
    const clock = new TestClock()
    const driver = await openDriver(path, { clock })
    const holder = await openHolder(driver, 30_000)
    await grantOf(driver, 'acme/1', holder)
    const durable = await grantOf(driver, 'acme/2', holder, { durable: true, proposal: { limit: 2 } })
    clock.advance(20_000)
    const { now } = await driver.heartbeat(holder)
    await driver.close()

    const file = new Sqlite(path)
    file.prepare('UPDATE meta SET boot = ?').run('an earlier one')
    file.close()
    const restarted = new TestClock()
    restarted.uptimeMs = 3_000
    const after = await openDriver(path, { clock: restarted })
    await expect(after.heartbeat(holder)).rejects.toMatchObject({ code: 'SLOTKEEPER_HOLDER_LOST' })
    expect((await after.read({ kind: 'repositories', after: '', first: 1 })).now).toBeGreaterThan(now)
    expect((await after.sweep(10)).domains).toEqual([REPO])
    await ask(after, undefined, acquire('acme/3', await openHolder(after), { proposal: { limit: 2 } }))
    const { runs } = await after.read({
      kind: 'repository',
      repository: REPO,
      slots: 10,
      waiting: 10,
      run: 'acme/1',
    })
    expect(runs.map((row) => [row.run, row.phase]).sort()).toEqual([
      ['acme/1', 'record'],
      ['acme/2', 'orphaned'],
      ['acme/3', 'running'],
    ])
    expect(runs.find((row) => row.run === 'acme/2')?.token).toBe(durable.token)
    // A second process of the same boot kills nobody.
    const living = await openHolder(after)
    await openDriver(path, { clock: restarted })
    await after.heartbeat(living)
  })

  test('no commit of a repository is earlier than the one before it, whatever that one changed', async () => {
    const path = newPath()
    const [clock, behind] = [new TestClock(), new TestClock()]
    const [one, other] = [await openDriver(path, { clock }), await openDriver(path, { clock: behind })]
    const times: number[] = []
    const noting: Decide = (section, commands) => {
      times.push(section.now)
      return decide(section, commands)
    }
    const holder = await openHolder(one)
    const row = await grantOf(one, 'acme/1', holder)
    clock.advance(one.manifest.clockLagMs)
    const base = { repository: REPO, outcome: undefined } as const
    const commands: Command[] = [
      { ...base, kind: 'watch', ticket: newTicket(), forMs: 200 },
      {
        ...base,
        kind: 'run-state',
        run: row.run,
        runUid: undefined,
        ticket: newTicket(),
        state: 'completed',
      },
    ]
    for (const command of commands) {
      clock.advance(1)
      for (const driver of [one, other])
        await driver.transact([batchOf([{ ...command, ticket: newTicket() }], holder)], noting)
    }
    expect(times).toHaveLength(4)
    expect(times).toEqual([...times].sort((a, b) => a - b))
  })

  test('the machine’s own clock agrees between drivers as well as the manifest says', async () => {
    const path = newPath()
    const [one, other] = [await openDriver(path), await openDriver(path)]
    const query = { kind: 'repositories', after: '', first: 1 } as const
    for (let i = 0; i < 200; i++) {
      const [first, second, third] = [
        (await one.read(query)).now,
        (await other.read(query)).now,
        (await one.read(query)).now,
      ]
      expect(second).toBeGreaterThanOrEqual(first - one.manifest.clockLagMs)
      expect(third).toBeGreaterThanOrEqual(second - one.manifest.clockLagMs)
    }
  })
})

describe('a holder', () => {
  test('that is overdue never comes back, and what it held goes to the next', async () => {
    const path = newPath()
    const clock = new TestClock()
    const [one, other] = [await openDriver(path, { clock }), await openDriver(path, { clock })]
    const [lost, next] = [await openHolder(one, 10_000), await openHolder(other, 60_000)]
    await grantOf(one, 'acme/1', lost)
    expect(await tryFor(other, 'acme/2', next)).toMatchObject({ kind: 'waiting' })
    clock.advance(9_999)
    expect((await other.heartbeat(next)).sweep).toBe(false)
    clock.advance(1)
    expect((await other.heartbeat(next)).sweep).toBe(true)
    await expect(one.heartbeat(lost)).rejects.toMatchObject({ code: 'SLOTKEEPER_HOLDER_LOST' })
    expect((await other.sweep(10)).domains).toEqual([REPO])
    await ask(other, next)
    expect((await other.read({ kind: 'holder', holder: next })).runs).toMatchObject([
      { run: 'acme/2', phase: 'running' },
    ])
    // Nothing names it any more.
    clock.advance(5_001)
    await other.sweep(10)
    expect((await other.heartbeat(next)).sweep).toBe(false)
    await expect(one.heartbeat(lost)).rejects.toMatchObject({ code: 'SLOTKEEPER_HOLDER_LOST' })
  })

  test('that was told that it is overdue stays dead for a process whose clock is a hair behind', async () => {
    const path = newPath()
    const [ahead, behind] = [new TestClock(), new TestClock()]
    const [one, other] = [await openDriver(path, { clock: ahead }), await openDriver(path, { clock: behind })]
    const holder = await openHolder(one, 10_000)
    ahead.advance(10_000)
    behind.advance(9_995)
    await expect(one.heartbeat(holder)).rejects.toMatchObject({ code: 'SLOTKEEPER_HOLDER_LOST' })
    await expect(other.heartbeat(holder)).rejects.toMatchObject({ code: 'SLOTKEEPER_HOLDER_LOST' })
  })

  test('that is closed is dead at once; closing it again, or one that never was, does nothing', async () => {
    const driver = await openDriver(newPath())
    const holder = await openHolder(driver)
    await grantOf(driver, 'acme/1', holder)
    await driver.closeHolder(holder)
    await driver.closeHolder(holder)
    await driver.closeHolder(`${holder}-unknown` as typeof holder)
    await expect(driver.heartbeat(holder)).rejects.toMatchObject({ code: 'SLOTKEEPER_HOLDER_LOST' })
    const next = await openHolder(driver)
    expect(await tryFor(driver, 'acme/2', next)).toMatchObject({ kind: 'granted' })
  })

  test('is told by its epoch when somebody takes a slot from it', async () => {
    const driver = await openDriver(newPath())
    const holder = await openHolder(driver)
    const row = await grantOf(driver, 'acme/1', holder)
    expect((await driver.heartbeat(holder)).epoch).toBe(0)
    const other = await openHolder(driver)
    await ask(driver, other, {
      kind: 'finish',
      repository: REPO,
      run: row.run,
      ticket: 'another.00000000',
      state: 'cancelled',
      outcome: undefined,
    })
    expect((await driver.heartbeat(holder)).epoch).toBe(1)
  })
})

describe('a sweep', () => {
  test('claims domains, so that no two sweepers take the same', async () => {
    const path = newPath()
    const clock = new TestClock()
    const [one, other] = [await openDriver(path, { clock }), await openDriver(path, { clock })]
    const lost = await openHolder(one, 1_000)
    for (let i = 0; i < 5; i++) await grantOf(one, 'acme/1', lost, { repository: `acme/repo-${i}` })
    clock.advance(1_000)
    const first = await one.sweep(3)
    const second = await other.sweep(3)
    expect(first).toMatchObject({ more: true })
    expect([...first.domains, ...second.domains].sort()).toEqual([
      'acme/repo-0',
      'acme/repo-1',
      'acme/repo-2',
      'acme/repo-3',
      'acme/repo-4',
    ])
    expect((await one.sweep(3)).domains).toEqual([])
    // Whoever claimed them never came: they are claimed again.
    clock.advance(5_000)
    expect((await one.sweep(10)).domains).toHaveLength(5)
  })

  test('finds a backlog, and what waits for its time', async () => {
    const clock = new TestClock()
    const driver = await openDriver(newPath(), { clock })
    const holder = await openHolder(driver, 10_000_000)
    const reserved = acquire('acme/1', holder, { durable: true, mode: 'enqueue', claimTimeoutMs: 1_000 })
    await ask(driver, holder, reserved)
    expect(reserved.outcome).toMatchObject({ kind: 'granted', row: { phase: 'reserved' } })
    expect((await driver.sweep(10)).domains).toEqual([])
    clock.advance(1_000 + driver.manifest.clockLagMs)
    expect((await driver.sweep(10)).domains).toEqual([REPO])
    await ask(driver, holder)
    const { runs } = await driver.read({ kind: 'repository', repository: REPO, slots: 10, waiting: 10 })
    expect(runs).toMatchObject([{ phase: 'waiting', parks: 1 }])
  })

  test('forgets records whose time is over, a part at a time', async () => {
    const clock = new TestClock()
    const driver = await openDriver(newPath(), { clock })
    const holder = await openHolder(driver, 200_000_000)
    const runs: RunRef[] = []
    for (let i = 0; i < 6; i++) {
      const commands = Array.from({ length: 100 }, (_, k) =>
        acquire(`acme/${i}-${k}`, holder, { proposal: { limit: 1000 } }),
      )
      await ask(driver, holder, ...commands)
      runs.push(...commands.map(({ repository, run }) => ({ repository, run })))
      const rows = commands.map((command) =>
        command.outcome?.kind === 'granted' ? command.outcome.row : undefined,
      )
      await ask(
        driver,
        holder,
        ...rows.map(
          (row) =>
            ({
              kind: 'release',
              repository: REPO,
              run: row?.run ?? 'a/b',
              token: row?.token ?? 0,
              ticket: `x.${row?.token}`,
              state: 'completed',
              force: undefined,
              outcome: undefined,
            }) as const,
        ),
      )
    }
    const count = async () => (await driver.read({ kind: 'runs', runs })).runs.length
    clock.advance(86_399_000)
    await driver.sweep(10)
    expect(await count()).toBe(600)
    clock.advance(1_001 + driver.manifest.clockLagMs)
    expect((await driver.heartbeat(holder)).sweep).toBe(true)
    expect((await driver.sweep(10)).more).toBe(true)
    expect(await count()).toBe(100)
    await driver.sweep(10)
    expect(await count()).toBe(0)
    expect((await driver.heartbeat(holder)).sweep).toBe(false)
  })

  test('that finds nothing writes nothing', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    await grantOf(driver, 'acme/1', await openHolder(driver))
    const file = new Sqlite(path)
    const before = file.pragma('data_version', { simple: true })
    await driver.sweep(10)
    expect(file.pragma('data_version', { simple: true })).toBe(before)
    file.close()
  })
})
