import { expect, test, vi } from 'vitest'
import { userOf } from './support/cluster.ts'
import { endpoints, newPrefix } from './support/servers.ts'
import { granted, managerOf, repo } from './support/store.ts'

vi.setConfig({ testTimeout: 60_000 })

test('a repository whose document somebody has overwritten fails its own calls, and none that come with them', async () => {
  const prefix = newPrefix()
  const manager = managerOf({ endpoints: endpoints(), prefix })
  for (const name of ['bad', 'good']) await (await granted(manager, 'acme/once', 9, name)).release()
  await userOf(endpoints()).put(`${prefix}/domain/acme/bad`).value('nonsense')
  for (let n = 0; n < 3; n++) {
    const [bad, good] = await Promise.allSettled([
      granted(manager, `acme/run-${n}`, 9, 'bad'),
      granted(manager, `acme/run-${n}`, 9, 'good'),
    ])
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'SLOTKEEPER_STORE_CORRUPT' } })
    expect(good.status).toBe('fulfilled')
  }
})

test('of a dead holder all slots are given back but those in a document that somebody has overwritten', async () => {
  const prefix = newPrefix()
  const [dies, lives] = [
    managerOf({ endpoints: endpoints(), prefix }),
    managerOf({ endpoints: endpoints(), prefix }),
  ]
  const names = ['bad', 'good-1', 'good-2', 'good-3']
  let holder: string | undefined
  for (const name of names) holder = (await granted(dies, 'acme/dies', 1, name)).holder
  const client = userOf(endpoints())
  await client.put(`${prefix}/domain/acme/bad`).value('nonsense')
  const waiting = names
    .slice(1)
    .map((name) => lives.waitForSlot({ repository: repo(1, name), run: 'acme/waits' }))
  const key = Buffer.from(`${prefix}/watched/holder/${holder}`)
  const { kvs } = await client.kv.range({ key })
  await client.leaseClient.leaseRevoke({ ID: kvs[0]?.lease as string })
  expect((await Promise.all(waiting)).every(({ isHeld }) => isHeld)).toBe(true)
})
