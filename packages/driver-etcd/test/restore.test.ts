import type { Manager } from '@slotkeeper/core'
import { expect, test, vi } from 'vitest'
import { raiseTokenFloor } from '../src/index.ts'
import { ownCluster } from './support/cluster.ts'
import { granted, managerOf, repo, until } from './support/store.ts'

vi.setConfig({ testTimeout: 120_000 })

/** The tokens of slots that are taken and given back, one after the other. */
async function tokensOf(manager: Manager, name: string, count: number): Promise<bigint[]> {
  const tokens: bigint[] = []
  for (let n = 0; n < count; n++) {
    const slot = await granted(manager, `acme/${name}-${n}`)
    tokens.push(slot.fencingToken)
    await slot.release()
  }
  return tokens
}

test('after a restore tokens are granted a second time, unless it was said that the store was restored; then never', async () => {
  const { endpoints, members } = await ownCluster({ fsync: true })
  const member = members[0] as (typeof members)[0]
  const before = managerOf({ endpoints })
  await tokensOf(before, 'before', 3)
  const backup = await member.backUp()
  const unknown = await tokensOf(before, 'unknown', 20)
  await before.close()

  await member.restore(backup)
  const careless = managerOf({ endpoints })
  const again = await tokensOf(careless, 'careless', 20)
  expect(
    again.filter((token) => unknown.includes(token)),
    'what the operator has to know',
  ).not.toEqual([])
  await careless.close()

  await member.restore(backup)
  const floor = await raiseTokenFloor({ endpoints })
  const careful = managerOf({ endpoints })
  const later = await tokensOf(careful, 'careful', 20)
  expect([...unknown, ...again].every((token) => token < floor)).toBe(true)
  expect(later.every((token) => token > floor)).toBe(true)
})

test('Managers that are there while a backup comes back give up what it does not know, and go on above the tokens of before', async () => {
  const { endpoints, members } = await ownCluster({ fsync: true })
  const member = members[0] as (typeof members)[0]
  const [a, b] = [
    managerOf({ endpoints }, { holderTtlMs: 3000 }),
    managerOf({ endpoints }, { holderTtlMs: 3000 }),
  ]
  const early = await granted(a, 'acme/early', 2)
  await early.release()
  const backup = await member.backUp()
  await tokensOf(a, 'unknown', 50)
  const unknown = await granted(a, 'acme/unknown', 2)
  const waiting = b.waitForSlot({ repository: repo(1), run: 'acme/waits' })
  await until('it waits', async () => (await a.getCurrentSlots('acme/api')).waiting === 1)
  await member.restore(backup)
  await raiseTokenFloor({ endpoints })
  await until('who holds what the backup does not know learns of it', () => !unknown.isHeld)
  const slot = await waiting
  expect(slot.fencingToken).toBeGreaterThan(unknown.fencingToken)
  expect(slot.isHeld).toBe(true)
})
