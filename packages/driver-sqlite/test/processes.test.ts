import { existsSync, statSync, unlinkSync } from 'node:fs'
import { getActiveResourcesInfo } from 'node:process'
import { Manager, type Repository, repository } from '@slotkeeper/core'
import type { HolderId, StoreEvent, WatchEvent } from '@slotkeeper/core/driver'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  acquire,
  ask,
  batchOf,
  cleanUp,
  decide,
  driverOf,
  grantOf,
  newPath,
  openDriver,
  openHolder,
  REPO,
  release,
  Sqlite,
  start,
  tryFor,
} from './support.ts'

/** Waits until so many wait. */
async function queued(manager: Manager, of: Repository, count: number): Promise<void> {
  while ((await manager.getCurrentSlots(of)).waiting !== count)
    await new Promise((resolve) => setImmediate(resolve))
}

describe('a file that somebody else keeps locked', () => {
  test('loses no call and blocks no event loop', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    const stranger = start('hold-lock.ts', path)
    expect(await stranger.line()).toBe('locked')
    let turns = 0
    const loop = setInterval(() => turns++, 1)
    const commands = Array.from({ length: 30 }, (_, i) =>
      acquire(`acme/${i}`, holder, { proposal: { limit: 100 } }),
    )
    const calls = commands.map((command) => ask(driver, holder, command))
    const beat = driver.heartbeat(holder)
    // Reading is never held up.
    expect((await driver.read({ kind: 'holder', holder })).runs).toEqual([])
    while (turns < 100) await new Promise((resolve) => setImmediate(resolve))
    expect(commands.every((command) => command.outcome === undefined)).toBe(true)
    stranger.say('unlock')
    await Promise.all(calls)
    await beat
    clearInterval(loop)
    // Whoever waits in a call of SQLite for the lock turns once for hundreds of turns of somebody who does nothing.
    expect(turns).toBeGreaterThan(Number(await stranger.line()) / 10)
    expect(commands.map((command) => command.outcome?.kind)).toEqual(commands.map(() => 'granted'))
  })

  test('is given up when the signal aborts, or when the lock timeout is over', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const impatient = await openDriver(path, { lockTimeoutMs: 30 })
    const holder = await openHolder(driver)
    const stranger = new Sqlite(path)
    stranger.exec('BEGIN IMMEDIATE')
    const abort = new AbortController()
    const batch = batchOf([acquire('acme/1', holder)], holder)
    const call = driver.transact([batch], decide, abort.signal)
    abort.abort(new Error('enough'))
    await expect(call).rejects.toMatchObject({ code: 'SLOTKEEPER_STORE_BUSY', retryable: true })
    await expect(impatient.heartbeat(holder)).rejects.toMatchObject({ code: 'SLOTKEEPER_STORE_BUSY' })
    stranger.exec('COMMIT')
    stranger.close()
    await driver.heartbeat(holder)
    // The call that was given up does not come after all.
    expect((await driver.read({ kind: 'holder', holder })).runs).toEqual([])
    expect(batch.decision).toBeUndefined()
  })

  test('is no reason to wait for ever: close() ends the calls that wait', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    const stranger = new Sqlite(path)
    stranger.exec('BEGIN IMMEDIATE')
    const ended = expect(driver.heartbeat(holder)).rejects.toMatchObject({
      code: 'SLOTKEEPER_MANAGER_CLOSED',
    })
    await driver.close()
    await ended
    stranger.close()
  })
})

describe('watching', () => {
  const watchOf = (
    driver: Awaited<ReturnType<typeof openDriver>>,
    wants: (event: StoreEvent) => boolean = () => true,
  ) => {
    const abort = new AbortController()
    const hints = driver.watch({ wants, signal: abort.signal })[Symbol.asyncIterator]()
    return { hints, abort, next: async () => (await hints.next()).value as WatchEvent | undefined }
  }
  const RESYNC = { kind: 'resync' }

  test('another process’s grant is told without waiting for a look that comes with time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    const child = start('take-and-release.ts', path)
    expect(await child.line()).toBe('holding')
    const { next } = watchOf(driver, (event) => event.holder === holder)
    expect(await next()).toEqual(RESYNC)
    expect(await tryFor(driver, 'acme/mine', holder)).toMatchObject({ kind: 'waiting' })
    child.say('release')
    expect(await next()).toMatchObject({
      kind: 'event',
      event: { kind: 'granted', run: 'acme/mine', holder },
    })
  })

  test('the own commits are told in the batch, and not again by the watch', async () => {
    const path = newPath()
    const [one, other] = [await openDriver(path), await openDriver(path)]
    const [a, b] = [await openHolder(one), await openHolder(other)]
    const [mine, theirs] = [watchOf(one), watchOf(other)]
    expect([await mine.next(), await theirs.next()]).toEqual([RESYNC, RESYNC])
    const row = await grantOf(one, 'acme/1', a)
    await tryFor(other, 'acme/2', b)
    const batch = await ask(one, a, release(row))
    expect(batch.events.map((event) => event.kind)).toEqual(['released', 'granted'])
    expect(await theirs.next()).toMatchObject({ event: { kind: 'released' } })
    expect(await theirs.next()).toMatchObject({ event: { kind: 'granted', run: 'acme/2' } })
    // The first thing that `mine` hears is what the other one did afterwards.
    const { runs } = await other.read({ kind: 'holder', holder: b })
    await ask(other, b, acquire('acme/3', a))
    for (const run of runs) await ask(other, b, release(run))
    expect(await mine.next()).toMatchObject({ event: { run: 'acme/2', kind: 'released' } })
  })

  test('news of a run makes its own waiter look, and none of the others', async () => {
    const path = newPath()
    const driver = driverOf(path)
    const looks: string[][] = []
    const read = driver.read.bind(driver)
    driver.read = (query, signal) => {
      if (query.kind === 'runs') looks.push(query.runs.map(({ run }) => run))
      return read(query, signal)
    }
    const waits = new Manager({ driver })
    const holds = new Manager({ driver: driverOf(path) })
    cleanUp(() => waits.close())
    cleanUp(() => holds.close())
    const one = repository('acme/api', { concurrencyLimit: 1 })
    const slots = [await holds.waitForSlot({ repository: one, run: 'acme/0' })]
    for (const run of ['acme/1', 'acme/2', 'acme/3'] as const) {
      const granted = waits.waitForSlot({ repository: one, run })
      await queued(waits, one, 1)
      // From the second time on nothing that came with the beginning of the watch is left.
      looks.length = 0
      const others = (['acme/8', 'acme/9'] as const).map((other) => {
        const abort = new AbortController()
        const gone = waits.waitForSlot({ repository: one, run: other, signal: abort.signal })
        return { abort, gone: gone.catch(() => {}) }
      })
      await queued(waits, one, 3)
      await slots.pop()?.release()
      slots.push(await granted)
      if (run !== 'acme/1') expect(looks).toEqual([[run]])
      for (const { abort } of others) abort.abort(new Error('enough'))
      await Promise.all(others.map(({ gone }) => gone))
      await queued(waits, one, 0)
      await slots.pop()?.release()
      slots.push(await holds.waitForSlot({ repository: one, run: `${run}-back` }))
    }
  })

  test('what nobody watches is not written down; what a watch command asked for is', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    const file = new Sqlite(path)
    const events = () => file.prepare('SELECT count(*) FROM event').pluck().get()
    const row = await grantOf(driver, 'acme/1', holder)
    await ask(driver, holder, release(row))
    expect(events()).toBe(0)
    await ask(driver, holder, {
      kind: 'watch',
      repository: REPO,
      forMs: 60_000,
      ticket: 'w.00000000',
      outcome: undefined,
    })
    await grantOf(driver, 'acme/2', holder)
    expect(events()).toBe(1)
    expect(statSync(`${path}-bell`).size).toBe(1)
    file.close()
  })

  test('a gap in what was kept is told as resync', async () => {
    const path = newPath()
    const [one, other] = [await openDriver(path), await openDriver(path)]
    const holder = await openHolder(one)
    const { next } = watchOf(other)
    expect(await next()).toEqual(RESYNC)
    // The whole of this runs before the other driver is woken.
    await ask(one, holder, {
      kind: 'watch',
      repository: REPO,
      forMs: 60_000,
      ticket: 'w.00000000',
      outcome: undefined,
    })
    for (let i = 0; i < 4700; i++) {
      const row = await grantOf(one, 'acme/1', holder)
      await ask(one, holder, release(row))
    }
    const file = new Sqlite(path)
    expect(file.prepare('SELECT count(*) FROM event').pluck().get()).toBeLessThan(4096 + 256)
    file.close()
    expect(await next()).toEqual(RESYNC)
  })

  test('ends when the signal aborts, when the reader leaves and when the driver closes; nothing is left', async () => {
    const driver = await openDriver(newPath())
    const before = getActiveResourcesInfo().filter((name) => name !== 'Timeout').length
    const [aborted, left, closed] = [watchOf(driver), watchOf(driver), watchOf(driver)]
    for (const { next } of [aborted, left, closed]) await next()
    const waiting = [aborted, left, closed].map(({ hints }) => hints.next())
    aborted.abort.abort()
    await left.hints.return?.()
    await driver.close()
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => ({ value: undefined, done: true })))
    expect(getActiveResourcesInfo().filter((name) => name !== 'Timeout').length).toBeLessThanOrEqual(before)
  })

  test('goes on by looking when the bell is taken away', async () => {
    const path = newPath()
    const [one, other] = [await openDriver(path), await openDriver(path)]
    const [a, b] = [await openHolder(one), await openHolder(other)]
    unlinkSync(`${path}-bell`)
    const { next } = watchOf(other)
    expect(await next()).toEqual(RESYNC)
    expect((await other.health()).detail).toContain('looking every')
    const row = await grantOf(one, 'acme/1', a)
    await tryFor(other, 'acme/2', b)
    await ask(one, a, release(row))
    expect(await next()).toMatchObject({ event: { kind: 'released' } })
  })
})

describe('a process that is killed with -9 at any moment', () => {
  test('leaves a store that is whole: counts, numbers and tokens agree with the rows', async () => {
    const path = newPath()
    let highest = 0
    for (let round = 0; round < 6; round++) {
      const child = start('churn.ts', path)
      const holder = (await child.line()) as HolderId
      for (let lines = 0; lines < 20 + round * 37; lines++)
        highest = Math.max(highest, Number(await child.line()))
      child.process.kill('SIGKILL')
      await child.ended
      const driver = await openDriver(path)
      await driver.closeHolder(holder)
      const { repositories } = await driver.read({ kind: 'repositories', after: '', first: 10 })
      const repository = repositories[0] as (typeof repositories)[0]
      const { runs } = await driver.read({ kind: 'repository', repository: REPO, slots: 100, waiting: 100 })
      const live = runs.filter((row) => row.phase === 'running')
      expect(repository.live).toBe(live.length)
      expect(repository.waiting).toBe(runs.length - live.length)
      expect(live.length).toBeLessThanOrEqual(3)
      // Every token that was answered is in the store: none can be granted again.
      expect(repository.lastToken).toBeGreaterThanOrEqual(highest)
      const file = new Sqlite(path)
      expect(file.pragma('integrity_check', { simple: true })).toBe('ok')
      file.close()
      await driver.close()
    }
  })
})

describe('a driver', () => {
  test('is harmless to import and to make, and a process that only did so ends', async () => {
    const child = start('only-make.ts', newPath())
    expect(await child.line()).toBe('made')
    expect(await child.ended).toEqual({ code: 0, signal: null })
  })

  test('that is open and watches keeps no process alive', async () => {
    const child = start('only-make.ts', newPath(), 'watch')
    expect(await child.line()).toBe('made')
    expect(await child.ended).toEqual({ code: 0, signal: null })
  })

  test('answers nothing after close, which may be called twice; the log is gone with the last one', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    await driver.close()
    await driver.close()
    expect(existsSync(`${path}-wal`)).toBe(false)
    const calls = [
      () => driver.heartbeat(holder),
      () => driver.transact([], decide),
      () => driver.read({ kind: 'holder', holder }),
      () => driver.sweep(1),
      () => driver.health(),
      () => driver.open({ schema: 'migrate' }),
    ]
    for (const call of calls)
      await expect((async () => call())()).rejects.toMatchObject({ code: 'SLOTKEEPER_MANAGER_CLOSED' })
    expect(() => driver.watch({ wants: () => true, signal: new AbortController().signal })).toThrow(/closed/)
  })

  test('used before it is open says so', async () => {
    const driver = driverOf(newPath())
    await expect((async () => driver.sweep(1))()).rejects.toMatchObject({ code: 'SLOTKEEPER_INTERNAL' })
  })

  test('tells its health', async () => {
    const driver = await openDriver(newPath(), { synchronous: 'full' })
    const { ok, detail } = await driver.health()
    expect(ok).toBe(true)
    expect(detail).toMatch(
      /^SQLite 3\.\d+\.\d+, journal mode wal, synchronous full, woken by a watched file$/,
    )
  })
})
