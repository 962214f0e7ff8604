import assert from 'node:assert/strict'
import { isSlotkeeperError } from '@slotkeeper/core'
import type { Driver, HolderId, HolderTerm } from '@slotkeeper/core/driver'
import { API, acquire, enqueue, release } from './commands.ts'
import type { Desk } from './desk.ts'
import { type Lab, run } from './lab.ts'
import type { Rule } from './rule.ts'
import { withWallClock } from './wall-clock.ts'

export function holderRules(rule: Rule): void {
  rule('8. a holder is alive while it beats, for several times its TTL, and its slot stays', async (lab) => {
    const [desk, other] = await lab.desks(2)
    await keepsWhileBeating(lab, desk, other)
  })

  rule('8. clients with wrong wall clocks neither kill a live holder nor keep a dead one', async (lab) => {
    const [desk, other, third] = await lab.desks(3)
    for (const hours of [24 * 365, -24 * 365])
      await withWallClock(hours * 3_600_000, () => keepsWhileBeating(lab, desk, other))
    const holder = await third.holder(lab.ttlMs)
    const doomed = acquire({ run: run('doomed'), repository: 'acme/other', ticket: third.ticket(), holder })
    assert.equal((await third.send(doomed)).kind, 'granted')
    await withWallClock(-3_600_000, () =>
      lab.until('the silent holder is dead although the clock was set back', async () => {
        await other.tidy()
        return (await other.row('acme/other', run('doomed')))?.phase === 'record'
      }),
    )
  })

  rule('8. a heartbeat tells the store time, the TTL and the epoch', async (lab) => {
    const desk = await lab.desk()
    const ttlMs = Math.max(60_000, lab.manifest.minimumTtlMs)
    const holder = 'told' as HolderId
    const opened = await desk.again(() => desk.driver.openHolder(holder, ttlMs))
    const first = await desk.again(() => desk.driver.heartbeat(holder))
    const second = await desk.again(() => desk.driver.heartbeat(holder))
    assert.deepEqual([opened.ttlMs, first.ttlMs, opened.epoch, second.epoch], [ttlMs, ttlMs, 0, 0])
    assert.ok(opened.now <= first.now && first.now <= second.now, 'store time does not go back')
  })

  rule(
    '8. a holder that stopped beating is dead for ever: a late heartbeat fails, then and always',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const silent = await desk.holder(lab.ttlMs)
      const { now } = await desk.driver.read({ kind: 'repositories', after: '', first: 1 })
      await lab.until(
        'its time is over',
        async () =>
          (await other.driver.read({ kind: 'repositories', after: '', first: 1 })).now >
          now + lab.ttlMs + 100,
      )
      await lab.until('the store says that it is dead', () => isDead(desk.driver, silent))
      for (const driver of [desk.driver, other.driver, desk.driver])
        assert.equal(await isDead(driver, silent), true)
      await other.tidy()
      assert.equal(await isDead(desk.driver, silent), true)
      const asked = await desk.send(acquire({ run: run(1), ticket: desk.ticket(), holder: silent }))
      assert.deepEqual(asked, { kind: 'holder-dead' }, 'a dead holder is granted nothing')
      assert.equal((await desk.repository(API))?.live ?? 0, 0)
    },
  )

  rule(
    '8. a closed holder is dead for ever, an unknown one is dead, and closing either again does nothing',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const holder = await desk.holder()
      await desk.driver.closeHolder(holder)
      for (const driver of [desk.driver, other.driver]) assert.equal(await isDead(driver, holder), true)
      await other.driver.closeHolder(holder)
      await other.driver.closeHolder('nobody' as HolderId)
      assert.equal(await isDead(desk.driver, 'nobody' as HolderId), true)
      assert.deepEqual(await desk.send(acquire({ run: run(1), ticket: desk.ticket(), holder })), {
        kind: 'holder-dead',
      })
      assert.deepEqual(
        await desk.send(
          acquire({ run: run(2), ticket: desk.ticket(), holder: 'nobody' as HolderId, mode: 'wait' }),
        ),
        { kind: 'holder-dead' },
      )
      assert.deepEqual((await desk.read(API)).runs, [], 'nothing was granted or enqueued')
    },
  )

  rule(
    '8. what a dead holder had is settled by the next decision: worker slots and entries end, durable slots are orphaned',
    async (lab) => {
      const [desk, other] = await lab.desks(2)
      const [dead, alive] = [await desk.holder(), await other.holder()]
      const proposal = { limit: 3 }
      const ask = (name: string, more: object) =>
        acquire({ run: run(name), ticket: desk.ticket(), holder: dead, mode: 'wait', proposal, ...more })
      await desk.sendAll([
        ask('worker', {}),
        ask('durable', { durable: true }),
        ask('kept', { holder: alive }),
        ask('entry', {}),
        ask('kept-entry', { holder: alive }),
        enqueue({ run: run('listed'), ticket: desk.ticket(), proposal }),
      ])
      const before = await desk.row(API, run('durable'))
      await desk.driver.closeHolder(dead)
      await lab.until('the worker slot of the dead holder is gone', async () => {
        await other.transact(API)
        return (await other.row(API, run('worker')))?.phase === 'record'
      })
      const phases = Object.fromEntries((await other.read(API)).runs.map((row) => [row.run, row.phase]))
      assert.deepEqual(phases, {
        [run('durable')]: 'orphaned',
        [run('kept')]: 'running',
        [run('kept-entry')]: 'running',
        [run('listed')]: 'waiting',
      })
      const orphan = await other.row(API, run('durable'))
      assert.deepEqual(
        [orphan?.token, orphan?.number, orphan?.holder],
        [before?.token, before?.number, undefined],
      )
      assert.equal((await other.row(API, run('entry')))?.ending, 'expired')
      assert.equal((await other.row(API, run('worker')))?.state, 'expired')
    },
  )

  rule('8. whoever takes a slot from a holder raises its epoch, and no other', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const [loser, bystander, by] = [await desk.holder(), await desk.holder(), await other.holder()]
    const granted = await desk.send(acquire({ run: run(1), ticket: desk.ticket(), holder: loser }))
    assert.ok(granted.kind === 'granted')
    const force = { actor: "o'brien", reason: 'stuck' }
    const taking = release({ run: run(1), token: granted.row.token, ticket: other.ticket(), force })
    assert.equal((await other.transact(API, [taking], by)).decision?.decided, 1)
    assert.equal(taking.outcome?.kind, 'released')
    const epochs = await Promise.all(
      [loser, bystander, by].map(
        async (holder) => (await desk.again(() => desk.driver.heartbeat(holder))).epoch,
      ),
    )
    assert.deepEqual(epochs, [1, 0, 0])
  })
}

/** Beats for several TTLs; judges by store time only, so that a machine that stalls proves nothing. */
async function keepsWhileBeating(lab: Lab, desk: Desk, other: Desk, tries = 20): Promise<void> {
  assert.ok(tries > 0, 'A holder that was just opened is called dead, again and again.')
  const { ttlMs } = lab
  const holder = await desk.holder(ttlMs)
  const name = run(`of-${holder}`)
  let term: HolderTerm = await desk.again(() => desk.driver.heartbeat(holder))
  const taken = await desk.send(acquire({ run: name, ticket: desk.ticket(), holder, proposal: { limit: 0 } }))
  const since = term.now
  let beats = 0
  while (taken.kind === 'granted' && (term.now < since + 3 * ttlMs || beats < 3)) {
    await other.tidy()
    await other.transact(API)
    const { now, runs } = await other.again(() =>
      other.driver.read({ kind: 'runs', runs: [{ repository: API, run: name }] }),
    )
    if (now < term.now + ttlMs)
      assert.equal(
        runs[0]?.phase,
        'running',
        `taken at ${now}, the holder was good until ${term.now + ttlMs}`,
      )
    const asked = performance.now()
    try {
      term = await desk.again(() => desk.driver.heartbeat(holder))
      beats++
    } catch (error) {
      if (!isSlotkeeperError(error, 'SLOTKEEPER_HOLDER_LOST')) throw error
      const after = (await desk.driver.read({ kind: 'repositories', after: '', first: 1 })).now
      assert.ok(after >= term.now + ttlMs, `called dead at ${after}, it was good until ${term.now + ttlMs}`)
      // The machine stalled for longer than the TTL: begin again.
      return keepsWhileBeating(lab, desk, other, tries - 1)
    }
    // Now and then a heartbeat comes late, but in time: the holder is alive until then.
    const pauseMs = beats % 3 === 2 ? 0.8 * ttlMs : ttlMs / 8
    await lab.until('it is time for the next heartbeat', () => performance.now() > asked + pauseMs)
  }
  if (taken.kind !== 'granted') return keepsWhileBeating(lab, desk, other, tries - 1)
  await desk.driver.closeHolder(holder)
}

async function isDead(driver: Driver, holder: HolderId): Promise<boolean> {
  try {
    await driver.heartbeat(holder)
    return false
  } catch (error) {
    if (isSlotkeeperError(error, 'SLOTKEEPER_HOLDER_LOST')) return true
    throw error
  }
}
