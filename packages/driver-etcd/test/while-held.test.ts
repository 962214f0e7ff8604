import type { Slot } from '@slotkeeper/core'
import { expect, test } from 'vitest'
import { whileHeld } from '../src/index.ts'
import { userOf } from './support/cluster.ts'
import { endpoints, newPrefix } from './support/servers.ts'
import { managerOf, repo, until } from './support/store.ts'

/** Writes under the slot, and answers whether it was written. */
async function writesUnder(slot: Slot, prefix: string): Promise<boolean> {
  const { succeeded } = await userOf(endpoints()).kv.txn({
    compare: whileHeld(slot, { prefix }),
    success: [{ request_put: { key: Buffer.from(`${prefix}-theirs`), value: Buffer.from('x') } }],
  })
  return succeeded
}

test('a user’s transaction is carried out under a slot that is held, and under no other', async () => {
  const prefix = newPrefix()
  const manager = managerOf({ endpoints: endpoints(), prefix })
  const slots: Slot[] = []
  for (const run of ['acme/1', 'acme/2'] as const) {
    const outcome = await manager.acquireSlot({ repository: repo(2), run })
    if (outcome.kind === 'granted') slots.push(outcome.slot)
  }
  const [first, second] = slots as [Slot, Slot]
  expect(await writesUnder(first, prefix)).toBe(true)
  await first.release()
  expect(await writesUnder(first, prefix), 'after its release').toBe(false)
  const again = await manager.acquireSlot({ repository: repo(2), run: 'acme/1' })
  expect(again.kind).toBe('granted')
  expect(await writesUnder(first, prefix), 'when the run has another one').toBe(false)
  expect(await writesUnder(second, prefix)).toBe(true)
})

test('the end of its holder ends a slot for a user’s transaction, before anybody has settled it', async () => {
  const prefix = newPrefix()
  const manager = managerOf({ endpoints: endpoints(), prefix })
  const outcome = await manager.acquireSlot({ repository: repo(1), run: 'acme/1', durable: true })
  if (outcome.kind !== 'granted') throw new Error('not granted')
  const { slot } = outcome
  expect(await writesUnder(slot, prefix)).toBe(true)
  await userOf(endpoints()).delete().key(`${prefix}/watched/holder/${slot.holder}`)
  expect(await writesUnder(slot, prefix)).toBe(false)
  await until('its holder is given up', () => !slot.isHeld)
})

test('a slot that nobody holds is refused', () => {
  const slot = { repository: 'acme/api', run: 'acme/1', fencingToken: 1n, holder: undefined } as const
  expect(() => whileHeld(slot)).toThrow(expect.objectContaining({ code: 'SLOTKEEPER_INVALID_ARGUMENT' }))
})
