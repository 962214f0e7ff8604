import assert from 'node:assert/strict'
import { isSlotkeeperError, Manager } from '@slotkeeper/core'
import type { HolderId } from '@slotkeeper/core/driver'
import { API, acquire, enqueue } from './commands.ts'
import { batchOf } from './desk.ts'
import { ask, grantedTo, repo, run } from './lab.ts'
import type { Rule } from './rule.ts'

export function lifecycleRules(rule: Rule): void {
  rule('driver: the manifest tells facts that can be true', async (lab) => {
    const { manifest, name } = await lab.driver()
    assert.ok(typeof name === 'string' && name !== '')
    assert.ok(['process', 'host', 'network'].includes(manifest.scope))
    assert.ok(['push', 'poll'].includes(manifest.wakes))
    assert.ok(
      manifest.minimumTtlMs >= 1 && manifest.minimumTtlMs <= 30_000,
      'the default TTL of 30 s must be possible',
    )
    assert.ok(Number.isInteger(manifest.budget) && manifest.budget >= 16)
    assert.ok(manifest.backstopMs > 0)
    assert.ok(manifest.wakes === 'push' || manifest.backstopMs <= 60_000, 'who is not told has to look')
    assert.ok(!manifest.synchronous || manifest.scope === 'process')
  })

  rule('driver: many that open a new store at once all succeed, and share it', async (lab) => {
    const drivers = await Promise.all([1, 2, 3, 4].map(() => lab.driver()))
    await Promise.all(drivers.map(async (driver) => driver.open({ schema: 'migrate' })))
    const managers = await lab.managers(4)
    await Promise.all(managers.map((manager) => manager.setRepositoryLimit(repo(2))))
    const outcomes = await Promise.all(managers.map((manager, n) => manager.acquireSlot(ask(repo(2), n))))
    assert.equal(outcomes.filter((outcome) => outcome.kind === 'granted').length, 2)
  })

  rule('driver: check opens what migrate made; it makes nothing itself', async (lab) => {
    const early = await lab.driver()
    const refusal = await (async () => early.open({ schema: 'check' }))().then(
      () => undefined,
      (error: unknown) => error,
    )
    if (lab.manifest.scope !== 'process')
      assert.ok(isSlotkeeperError(refusal, 'SLOTKEEPER_SCHEMA_MISSING'), String(refusal))
    const a = await lab.manager()
    await grantedTo(a, ask(repo(1), 1))
    const b = await lab.manager({ schema: 'check' })
    assert.equal((await b.acquireSlot(ask(repo(1), 2))).kind, 'refused')
  })

  rule('driver: what was committed is there after every driver was closed', async (lab) => {
    const first = await lab.desk()
    const holder = await first.holder()
    const granted = await first.send(
      acquire({ run: run(1), ticket: first.ticket(), holder, proposal: { limit: 1 } }),
    )
    await first.send(enqueue({ run: run(2), ticket: first.ticket(), proposal: { limit: 1 } }))
    const before = await first.read(API)
    await first.driver.close()
    const second = await lab.desk()
    const after = await second.read(API)
    assert.deepEqual(
      after.runs.map((row) => [row.run, row.phase, row.token]),
      before.runs.map((row) => [row.run, row.phase, row.token]),
    )
    assert.ok(after.now >= before.now)
    assert.ok(granted.kind === 'granted')
    assert.equal(
      (await second.send(acquire({ run: run(3), ticket: second.ticket(), holder: await second.holder() })))
        .kind,
      'refused',
    )
  })

  rule('driver: closing twice does nothing; a call after it fails with a coded error', async (lab) => {
    const desk = await lab.desk()
    const other = await lab.desk()
    await desk.driver.close()
    await desk.driver.close()
    const { driver } = desk
    const batch = batchOf(API, [enqueue({ run: run(1), ticket: desk.ticket() })])
    const calls: (() => unknown)[] = [
      () => driver.read({ kind: 'repositories', after: '', first: 1 }),
      () => driver.openHolder('late' as HolderId, 60_000),
      () => driver.heartbeat('late' as HolderId),
      () => driver.closeHolder('late' as HolderId),
      () => driver.sweep(1),
      () => driver.health(),
      () => driver.transact([batch], desk.decide),
    ]
    for (const [at, call] of calls.entries())
      await assert.rejects(
        async () => {
          await call()
          if (batch.error !== undefined) throw batch.error
        },
        (error) => isSlotkeeperError(error),
        `call ${at} on a closed driver`,
      )
    assert.equal(await other.row(API, run(1)), undefined)
  })

  rule('driver: calls that are under way when it is closed settle', async (lab) => {
    const desk = await lab.desk()
    const holder = await desk.holder()
    const calls = Array.from({ length: 20 }, (_, n) => [
      (async () =>
        desk.driver.transact(
          [batchOf(API, [acquire({ run: run(n), ticket: desk.ticket(), holder })])],
          desk.decide,
        ))(),
      (async () => desk.driver.read({ kind: 'holder', holder }))(),
      (async () => desk.driver.heartbeat(holder))(),
    ]).flat()
    const closed = (async () => desk.driver.close())()
    await lab.settles('all settle', Promise.allSettled([...calls, closed]))
  })

  rule('driver: health tells that the store is well, in words', async (lab) => {
    const manager = await lab.manager()
    const { ok, detail } = await manager.health()
    assert.equal(ok, true)
    assert.ok(typeof detail === 'string' && detail !== '')
  })

  rule('driver: it belongs to one Manager', async (lab) => {
    const driver = await lab.driver()
    lab.managerOf(driver)
    assert.throws(() => new Manager({ driver }), { code: 'SLOTKEEPER_DRIVER_IN_USE' })
  })

  rule('driver: every method gives up when its signal aborts', async (lab) => {
    const { driver } = await lab.desk()
    const holder = 'aborted' as HolderId
    const { signal } = new AbortController()
    const calls: ((given: AbortSignal) => unknown)[] = [
      (given) => driver.read({ kind: 'repositories', after: '', first: 1 }, given),
      (given) => driver.openHolder(holder, 60_000, given),
      (given) => driver.closeHolder(holder, given),
      (given) => driver.sweep(1, given),
      (given) => driver.health(given),
    ]
    for (const call of calls) await (async () => call(signal))()
    for (const call of calls) {
      const controller = new AbortController()
      controller.abort(new Error('aborted'))
      await lab.settles(
        'an aborted call settles',
        Promise.allSettled([(async () => call(controller.signal))()]),
      )
    }
  })
}
