import { type Manager, type RunKey, repository } from '@slotkeeper/core'
import { expect, test } from 'vitest'
import { endpoints, newPrefix } from './support/servers.ts'
import { managerOf } from './support/store.ts'

/** Many times what one transaction, and one turn of the event loop, takes. */
const MANY = 1000

test('calls in many repositories that another process uses, all at once, come to their ends', async () => {
  const store = { endpoints: endpoints(), prefix: newPrefix() }
  const [holding, asking]: [Manager, Manager] = [managerOf(store), managerOf(store)]
  const repositories = Array.from({ length: MANY }, (_, at) =>
    repository(`acme/many-${at}`, { concurrencyLimit: 1 }),
  )
  const slots = await Promise.all(
    repositories.map((of, at) => holding.waitForSlot({ repository: of, run: `acme/first-${at}` as RunKey })),
  )
  const waiting = repositories.map((of, at) =>
    asking.waitForSlot({ repository: of, run: `acme/second-${at}` as RunKey }),
  )
  const queued = async () => {
    const all = await holding.getRepositories({ first: MANY })
    return all.reduce((sum, one) => sum + one.waiting, 0)
  }
  await expect.poll(queued, { timeout: 15_000, interval: 500 }).toBe(MANY)
  await Promise.all(slots.map((slot) => slot.release()))
  const granted = await Promise.all(waiting)
  expect(granted.every(({ isHeld }) => isHeld)).toBe(true)
  await Promise.all([asking.close(), holding.close()])
}, 20_000)
