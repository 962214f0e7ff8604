/** Examples that the properties found, or that a reader of the decision feared. Each stays as the smallest history that would break its rule. */
import { describe, expect, test } from 'vitest'
import type { HolderId } from '../../src/keys.ts'
import { again, HOLDER_TTL_MS } from './support/callers.ts'
import { Scene } from './support/commands.ts'
import { budgetHolds, holdersAreAlive } from './support/rules.ts'
import { World } from './support/world.ts'

describe('one slot is one ticket’s', () => {
  test('two waits of one Manager for one run, decided together: the older is superseded', () => {
    const scene = new Scene()
    const [older, newer] = [scene.acquire(0, 'A'), scene.acquire(0, 'A')]
    scene.send(older, newer)
    expect(older.outcome?.kind).toBe('superseded')
    expect(newer.outcome).toMatchObject({ kind: 'granted', replaced: older.ticket })
  })

  test('a wait whose entry was ended in the same batch was not granted', () => {
    const scene = new Scene()
    const gone = scene.acquire(0, 'A')
    const next = scene.acquire(0, 'B')
    scene.send(gone, scene.remove(0, 'A'), next)
    expect(next.outcome?.kind).toBe('granted')
    expect(gone.outcome?.kind).toBe('refused')
  })

  test('a wait whose entry was ended in the same batch does not wait, be nobody else waiting', () => {
    const scene = new Scene()
    scene.send(scene.acquire(0, 'X'))
    const gone = scene.acquire(0, 'A')
    scene.send(gone, scene.remove(0, 'A'))
    expect(gone.outcome?.kind).toBe('refused')
  })

  test('a wait whose run began another life in the same batch did not get that life’s slot', () => {
    const scene = new Scene()
    const older = scene.acquire(0, 'A', { runUid: 'one' })
    const newer = scene.acquire(0, 'A', { runUid: 'two', durable: true })
    scene.send(older, newer)
    expect(older.outcome?.kind).not.toBe('granted')
    expect(newer.outcome?.kind).toBe('granted')
  })

  test('an acquire whose slot was freed in the same batch does not get the next attempt’s', () => {
    const scene = new Scene()
    const first = scene.acquire(0, 'A')
    scene.send(first)
    const repeated = again(first)
    const next = scene.acquire(0, 'A', { mode: 'try' })
    const release = { ...scene.release(0, 'A') }
    scene.send(repeated, release, next)
    expect(next.outcome?.kind).toBe('granted')
    expect(repeated.outcome?.kind).not.toBe('granted')
  })

  test('an acquire whose slot was finished in the same batch is not granted', () => {
    const scene = new Scene()
    const first = scene.acquire(0, 'A', { mode: 'try' })
    scene.send(first, scene.finish(0, 'A'))
    expect(first.outcome?.kind).not.toBe('granted')
  })

  test('an enqueue asked again does not take the slot from whoever claimed the reservation', () => {
    const scene = new Scene()
    const enqueue = scene.acquire(0, 'A', { mode: 'enqueue' })
    scene.send(enqueue)
    scene.send(scene.claim(1, 'A'))
    const holder = scene.row('A')?.holder
    const repeated = again(enqueue)
    scene.send(repeated)
    expect(repeated.outcome).toMatchObject({ kind: 'held-elsewhere', holder })
    expect(scene.row('A')).toMatchObject({ phase: 'running', holder })
  })

  test('a withdrawal of the ticket that enqueued leaves the slot to whoever claimed it', () => {
    const scene = new Scene()
    scene.send(scene.acquire(1, 'X'))
    const wait = scene.acquire(0, 'A', { durable: true })
    scene.send(wait)
    scene.send(scene.finish(1, 'X'))
    scene.send(scene.claim(1, 'A'))
    const withdrawal = scene.withdraw(0, 'A', wait.ticket)
    scene.send(withdrawal)
    expect(withdrawal.outcome?.kind).toBe('absent')
    expect(scene.row('A')).toMatchObject({ phase: 'running', holder: scene.world.callers.holder(1) })
  })

  test('a late duplicate of an older try does not claim the reservation of a newer enqueue', () => {
    const scene = new Scene()
    const late = scene.acquire(0, 'A', { mode: 'try' })
    scene.send(scene.acquire(0, 'A', { mode: 'enqueue' }))
    scene.send(late)
    expect(late.outcome).toMatchObject({ kind: 'refused', reason: 'finished' })
    expect(scene.row('A')?.phase).toBe('reserved')
  })

  test('a durable wait of a dead holder is not told that it has the slot', () => {
    const scene = new Scene()
    scene.send(scene.acquire(1, 'X'))
    const dead = scene.acquire(0, 'A', { durable: true })
    scene.send(dead)
    scene.world.store.now += HOLDER_TTL_MS
    const [repeated, alive] = [again(dead), scene.acquire(2, 'A', { durable: true })]
    scene.send(repeated, alive)
    expect(repeated.outcome?.kind).not.toBe('granted')
    expect(alive.outcome?.kind).toBe('granted')
    expect(scene.row('A')?.holder).toBe(scene.world.callers.holderOf(2))
  })

  test('a try asked again after its slot was requeued is not queued by that', () => {
    const scene = new Scene()
    const acquire = scene.acquire(0, 'A', { mode: 'try', durable: true })
    scene.send(acquire)
    scene.send({ ...scene.requeue(0, 'A'), delayMs: 20 })
    const repeated = again(acquire)
    scene.send(repeated)
    expect(repeated.outcome?.kind).toBe('refused')
  })

  test('a claim asked again under the Manager’s next holder keeps its slot', () => {
    const scene = new Scene()
    scene.send(scene.acquire(0, 'A', { mode: 'enqueue' }))
    const claim = scene.claim(0, 'A')
    scene.send(claim)
    const next = scene.world.callers.holder(1)
    const repeated = { ...again(claim), holder: next }
    scene.send(repeated)
    expect(repeated.outcome?.kind).toBe('running')
    expect(scene.row('A')?.holder).toBe(next)
  })
})

describe('an attempt that is over stays over', () => {
  test('a ticket that was withdrawn before it arrived leads to nothing, although the run has a record of an earlier attempt', () => {
    const scene = new Scene()
    scene.send(scene.acquire(0, 'A'))
    scene.send(scene.finish(0, 'A'))
    const late = scene.acquire(0, 'A')
    scene.send(scene.withdraw(0, 'A', late.ticket))
    scene.send(late)
    expect(late.outcome).toMatchObject({ kind: 'refused', reason: 'finished' })
    expect(scene.row('A')?.phase).toBe('record')
  })

  test('a duplicate of the acquire that claimed a reservation leads to nothing once the slot is released', () => {
    const scene = new Scene()
    scene.send(scene.acquire(0, 'A', { mode: 'enqueue' }))
    const acquire = scene.acquire(1, 'A', { mode: 'try', durable: true })
    scene.send(acquire)
    scene.send(scene.release(1, 'A'))
    const late = again(acquire)
    scene.send(late)
    expect(late.outcome).toMatchObject({ kind: 'refused', reason: 'finished' })
    expect(scene.row('A')?.phase).toBe('record')
  })

  test('an adoption that was withdrawn before it arrived leads to nothing', () => {
    const scene = new Scene()
    scene.send(scene.limit(0, 1))
    const late = scene.adopt(0, 'A', true)
    scene.send(scene.withdraw(0, 'A', late.ticket))
    scene.send(late)
    expect(late.outcome?.kind).toBe('refused')
  })

  test('a late duplicate of an older life does not end the newer attempt of the same caller', () => {
    const scene = new Scene()
    scene.send(scene.acquire(1, 'X'))
    const [older, newer] = [
      scene.acquire(0, 'A', { runUid: 'one' }),
      scene.acquire(0, 'A', { runUid: 'two' }),
    ]
    scene.send(newer)
    scene.send(older)
    expect(older.outcome).toMatchObject({ kind: 'refused', reason: 'finished' })
    expect(scene.row('A')).toMatchObject({ phase: 'waiting', ticket: newer.ticket })
  })

  test('a finish or a removal asked again does not end the next attempt', () => {
    const scene = new Scene()
    scene.send(scene.acquire(0, 'A'))
    const finish = scene.finish(0, 'A')
    const remove = scene.remove(0, 'A')
    scene.send(finish)
    scene.send(scene.acquire(0, 'A'))
    const [finished, removed] = [again(finish), again(remove)]
    scene.send(finished, removed)
    expect(finished.outcome?.kind).toBe('already-released')
    expect(scene.row('A')?.phase).toBe('running')
  })
})

describe('places and successors', () => {
  test('a run that goes back to its place after its holder died keeps its priority too', () => {
    const scene = new Scene()
    scene.send(scene.acquire(1, 'X', { durable: true, limit: 1 }))
    scene.send(scene.acquire(0, 'A', { priority: 1 }))
    const newer = scene.acquire(0, 'A', { priority: -1 })
    scene.send(newer)
    const { store } = scene.world
    store.now += HOLDER_TTL_MS - 1
    store.holders.set(scene.world.callers.holder(1), {
      holder: scene.world.callers.holder(1),
      dead: false,
      epoch: 0,
      expiresAt: store.now + 1000,
    })
    store.now += 1
    scene.send()
    scene.send({ ...again(newer), holder: scene.world.callers.holder(0) })
    expect(scene.row('A')).toMatchObject({ phase: 'waiting', priority: 1, sequence: 2 })
  })

  test('a withdrawal of another caller does not take the place of one who asks on after its holder died', () => {
    const scene = new Scene()
    scene.send(scene.acquire(1, 'X', { durable: true }))
    const wait = scene.acquire(0, 'A')
    scene.send(wait)
    scene.world.store.now += HOLDER_TTL_MS
    scene.send()
    scene.send(scene.withdraw(2, 'A', scene.world.callers.ticket(2)))
    scene.send({ ...again(wait), holder: scene.world.callers.holder(0) })
    expect(scene.row('A')).toMatchObject({ phase: 'waiting', sequence: 2, ticket: wait.ticket })
  })

  test('a wait whose run was said to be over does not go on when it asks again after its holder died', () => {
    const scene = new Scene()
    const wait = scene.acquire(0, 'A')
    scene.send(wait)
    scene.send(scene.runState(0, 'A', 'cancelled'))
    scene.world.store.now += HOLDER_TTL_MS
    const repeated = { ...again(wait), holder: scene.world.callers.holder(0) }
    scene.send(repeated)
    expect(repeated.outcome).toMatchObject({ kind: 'refused', reason: 'finished' })
    expect(scene.row('A')).toMatchObject({ phase: 'record', state: 'cancelled' })
  })

  test('finishing a waiting run gives its place to nobody', () => {
    const scene = new Scene()
    scene.send(scene.acquire(0, 'X'))
    scene.send(scene.acquire(0, 'A'), scene.acquire(0, 'B'))
    const finish = scene.finish(0, 'A')
    const commit = scene.send(scene.limit(0, 2), finish)
    expect(commit.decision.granted.map(({ run }) => run)).toEqual(['acme/B'])
    expect(finish.outcome).toMatchObject({ kind: 'finished', successor: undefined })
  })

  test('an adopted orphan that is withdrawn as unknown is an orphan again, not a run to be started twice', () => {
    const scene = new Scene()
    scene.send(scene.acquire(0, 'A', { mode: 'try', durable: true }))
    scene.world.store.now += HOLDER_TTL_MS
    const adopt = scene.adopt(1, 'A')
    scene.send(adopt)
    expect(adopt.outcome?.kind).toBe('granted')
    scene.send(scene.withdraw(1, 'A', adopt.ticket, true))
    expect(scene.row('A')?.phase).toBe('orphaned')
  })

  test('a worker whose entry is adopted away is told', () => {
    const scene = new Scene()
    scene.send(scene.acquire(1, 'X'))
    scene.send(scene.acquire(0, 'A'))
    const commit = scene.world.transact('acme/0', [scene.adopt(1, 'A', true)], {
      by: scene.world.callers.holder(1),
    })
    expect(commit.changes.bumped).toEqual([scene.world.callers.holder(0)])
  })
})

describe('budget', () => {
  test('entries of many dead holders at the head of the queue do not overrun a small commit', () => {
    const scene = new Scene(new World([budgetHolds()]))
    const { world } = scene
    scene.send(scene.acquire(0, 'X', { durable: true }))
    for (let i = 0; i < 20; i++) {
      const holder = `gone-${i}` as HolderId
      world.store.holders.set(holder, {
        holder,
        dead: false,
        epoch: 0,
        expiresAt: world.store.now + HOLDER_TTL_MS,
      })
      scene.send(scene.acquire(0, `W${i}`, { holder }))
    }
    world.store.now += HOLDER_TTL_MS
    const window = { overdue: 1, heads: 100, cautious: false, shared: true, late: true }
    // Every size of batch, so that every remainder of the budget is met.
    for (let size = 1; size < 8; size++) {
      const asked = Array.from({ length: size }, (_, i) => scene.acquire(1, `N${size}${i}`, { limit: 2 }))
      world.transact('acme/0', asked, { budget: 16, window })
    }
    world.drain('acme/0')
    expect(scene.row('W19')?.phase).toBe('record')
  })

  test('many overdue rows of many dead holders do not overrun a small commit, however the remainders fall', () => {
    for (let parked = 0; parked < 4; parked++)
      for (let budget = 16; budget < 20; budget++) {
        const scene = new Scene(new World([budgetHolds(), holdersAreAlive()]))
        const { world } = scene
        for (let i = 0; i < parked; i++) {
          scene.send(scene.acquire(0, `P${i}`, { mode: 'enqueue', limit: 0 }))
          scene.send({ ...scene.requeue(0, `P${i}`), delayMs: HOLDER_TTL_MS })
        }
        for (let i = 0; i < 20; i++) {
          const holder = `gone-${i}` as HolderId
          const expiresAt = world.store.now + HOLDER_TTL_MS
          world.store.holders.set(holder, { holder, dead: false, epoch: 0, expiresAt })
          scene.send(scene.acquire(0, `W${i}`, { holder, limit: 0 }))
        }
        world.store.now += HOLDER_TTL_MS
        world.drain('acme/0', {
          budget,
          overdue: 100,
          heads: 100,
          cautious: false,
          shared: true,
          late: false,
        })
        expect(scene.row('W19')?.phase).toBe('record')
      }
  })
})
